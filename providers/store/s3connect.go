package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/minio/minio-go/v7"

	"upkeep/providers/plain"
)

// amazon is where S3 itself is.
const amazon = "s3.amazonaws.com"

// endpoint returns host and port, and whether to speak TLS.
func (o S3Options) endpoint() (host string, secure bool, err error) {
	text := o.Endpoint
	switch {
	case text == "":
		return amazon, true, nil
	case !strings.Contains(text, "://"):
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" ||
		u.Scheme != "https" && u.Scheme != "http" {
		// What was written is not repeated: somebody may have put a password into it.
		return "", false, errors.New("the endpoint of an S3 store is https://HOST or https://HOST:PORT, without user, path or query")
	}
	return u.Host, u.Scheme == "https", nil
}

// credentials returns access key, secret key and session token.
func (o S3Options) credentials() (keys [3]string, err error) {
	keys = [3]string{o.AccessKey.Reveal(), o.SecretKey.Reveal(), o.SessionToken.Reveal()}
	if keys == [3]string{} {
		look := o.Environment
		if look == nil {
			look = os.Getenv
		}
		keys = [3]string{look("AWS_ACCESS_KEY_ID"), look("AWS_SECRET_ACCESS_KEY"), look("AWS_SESSION_TOKEN")}
	}
	if keys[0] == "" || keys[1] == "" {
		return keys, errors.New("there are no credentials for the S3 store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or access_key and secret_key in the block")
	}
	return keys, nil
}

// transport returns HTTP whose every read and write is bounded.
func transport(ca []byte, patience time.Duration) (*http.Transport, error) {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: patience,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     patience,
		DisableCompression:  true, // the bytes that are stored are wanted, whatever a proxy thinks
		WriteBufferSize:     64 << 10,
		ReadBufferSize:      64 << 10,
	}
	if len(ca) > 0 {
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("the CA of the S3 store holds no certificate in PEM")
		}
	}
	dialer := net.Dialer{Timeout: min(patience, 10*time.Second)}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &bounded{Conn: conn, patience: patience}, nil
	}
	return t, nil
}

// bounded is a connection that fails when the other side is silent for too long.
type bounded struct {
	net.Conn
	patience time.Duration
}

func (b *bounded) Read(data []byte) (int, error) {
	if err := b.Conn.SetReadDeadline(time.Now().Add(b.patience)); err != nil {
		return 0, err
	}
	return b.Conn.Read(data)
}

func (b *bounded) Write(data []byte) (int, error) {
	if err := b.Conn.SetWriteDeadline(time.Now().Add(b.patience)); err != nil {
		return 0, err
	}
	return b.Conn.Write(data)
}

// explain gives an error of minio-go a name and a text of which nothing is a credential or drives a terminal. Of the
// chain only what callers may ask for remains.
func (s *s3) explain(err error) error {
	if err == nil {
		return nil
	}
	kind, why := s.classify(err)
	for _, secret := range s.hide {
		if secret != "" {
			why = strings.ReplaceAll(why, secret, "(sensitive)")
		}
	}
	if kind == nil {
		return fmt.Errorf("store %s: %s", s, plainText(why))
	}
	return &s3Error{text: fmt.Sprintf("store %s: %s", s, plainText(why)), kind: kind}
}

type s3Error struct {
	text string
	kind error
}

func (e *s3Error) Error() string { return e.text }
func (e *s3Error) Unwrap() error { return e.kind }

func (s *s3) classify(err error) (kind error, why string) {
	var response minio.ErrorResponse
	if !errors.As(err, &response) {
		switch {
		case errors.Is(err, context.Canceled):
			return context.Canceled, err.Error()
		case errors.Is(err, context.DeadlineExceeded):
			return context.DeadlineExceeded, err.Error()
		}
		var network net.Error
		var broken *url.Error
		if errors.As(err, &broken) {
			err = broken.Err // the URL tells nothing that the store's name does not
		}
		if errors.As(err, &network) || broken != nil {
			return ErrUnreachable, fmt.Sprintf("%v: %v", ErrUnreachable, err)
		}
		return nil, err.Error()
	}
	said := response.Code
	if response.Message != "" {
		said = response.Message + " (" + response.Code + ")"
	}
	said = plain.Said(plainText(said))
	switch response.Code {
	case minio.NoSuchKey:
		return ErrNotExist, "there is no such object"
	case minio.PreconditionFailed:
		return ErrExists, "an object of that name is there already"
	case minio.NoSuchBucket:
		return ErrRefused, fmt.Sprintf("%v: there is no bucket %q; make it, or correct the name", ErrRefused, s.bucket)
	case minio.AccessDenied, "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken":
		return ErrRefused, fmt.Sprintf("%v: %s; look at the credentials and at what they may do", ErrRefused, said)
	case "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage":
		return ErrFull, fmt.Sprintf("%v: %s", ErrFull, said)
	}
	switch {
	case response.StatusCode == http.StatusInsufficientStorage:
		return ErrFull, fmt.Sprintf("%v: %s", ErrFull, said)
	case response.StatusCode == http.StatusPreconditionFailed:
		return ErrExists, "an object of that name is there already"
	case s.lock.Mode != "" && response.StatusCode == http.StatusBadRequest:
		return ErrRefused, fmt.Sprintf("%v: %s; an object lock needs a bucket that was made with it", ErrRefused, said)
	default:
		return ErrRefused, fmt.Sprintf("%v: %s", ErrRefused, said)
	}
}

// messageLimit bounds what is repeated of a service's message.
const messageLimit = 400

// plainText returns a text in one line without control characters.
func plainText(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	if len(text) > messageLimit {
		text = text[:messageLimit] + "…"
	}
	return strings.Join(strings.Fields(text), " ")
}
