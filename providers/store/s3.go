package store

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"upkeep/config"
)

// S3Options say where a bucket is. Bucket is required.
type S3Options struct {
	// Endpoint is "https://HOST[:PORT]"; "http://" for one without TLS, and without a scheme it has TLS. Empty: Amazon's.
	Endpoint string
	// Region is that of the bucket; empty: the service is asked.
	Region, Bucket string
	// Prefix stands before each name, with a "/" between them.
	Prefix string
	// PathStyle puts the bucket into the path of the URL and not into the host name. Without it minio-go decides: the host
	// name for the services that want that (Amazon's among them), the path for all others.
	PathStyle bool
	// CA is PEM: the authorities that the service's certificate must come from. Empty: the system's.
	CA []byte
	// AccessKey and SecretKey, and SessionToken for temporary ones. All empty: from the environment, as Environment says.
	AccessKey, SecretKey, SessionToken config.Secret
	// Environment looks up AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; os.Getenv.
	Environment func(string) string
	// Lock asks that each object be locked for a time (S3 Object Lock); the bucket must have been made for it.
	Lock Lock
	// Patience bounds the time for which the service may be silent; 30 s. A request is tried three times.
	Patience time.Duration
}

// Lock keeps an object from being removed or changed by anybody.
type Lock struct {
	// Mode is "governance" (some may lift it) or "compliance" (nobody may); empty is no lock.
	Mode string
	// For is how long, from the upload on.
	For time.Duration
}

const (
	// s3Part is how much is held in memory and sent at a time. 10 000 of them fit an object (S3's limit): 156 GiB.
	s3Part      = 16 << 20
	s3PartLimit = 10_000
	// s3Tries is how often a request is made before it is given up.
	s3Tries = 3
	// s3Attempts to clean up may take this long, even when the caller's context has ended.
	s3Cleanup = 20 * time.Second
)

type s3 struct {
	core   minio.Core
	bucket string
	prefix string // with its "/"
	lock   Lock
	hide   []string // credentials, to be cut out of every message
}

// S3 returns the store in a bucket of an S3-compatible service. It does not connect yet.
func S3(o S3Options) (Store, error) {
	endpoint, secure, err := o.endpoint()
	if err != nil {
		return nil, err
	}
	keys, err := o.credentials()
	if err != nil {
		return nil, err
	}
	switch o.Lock.Mode {
	case "":
	case "governance", "compliance":
		if o.Lock.For <= 0 {
			return nil, errors.New("an object lock needs a time for which it holds")
		}
	default:
		return nil, fmt.Errorf("%q is not a mode of object lock; there are \"governance\" and \"compliance\"", o.Lock.Mode)
	}
	prefix := strings.Trim(o.Prefix, "/")
	if prefix != "" {
		if path.Clean("/"+prefix) != "/"+prefix {
			return nil, fmt.Errorf("the prefix %q is not a clean path", o.Prefix)
		}
		prefix += "/"
	}
	if o.Patience <= 0 {
		o.Patience = 30 * time.Second
	}
	transport, err := transport(o.CA, o.Patience)
	if err != nil {
		return nil, err
	}
	lookup := minio.BucketLookupAuto
	if o.PathStyle {
		lookup = minio.BucketLookupPath
	}
	core, err := minio.NewCore(endpoint, &minio.Options{
		Creds: credentials.NewStatic(keys[0], keys[1], keys[2], credentials.SignatureV4), Secure: secure, Transport: transport,
		Region: o.Region, BucketLookup: lookup, MaxRetries: s3Tries,
	})
	if err != nil {
		return nil, fmt.Errorf("S3 endpoint %q: %s", o.Endpoint, plainText(err.Error()))
	}
	if o.Bucket == "" {
		return nil, errors.New("an S3 store needs a bucket")
	}
	return &s3{core: *core, bucket: o.Bucket, prefix: prefix, lock: o.Lock, hide: keys[:]}, nil
}

func (s *s3) String() string { return strings.TrimSuffix("s3://"+s.bucket+"/"+s.prefix, "/") }

func (s *s3) List(ctx context.Context) ([]Object, error) {
	var objects []Object
	ctx, cancel := context.WithCancel(ctx) // ends minio's goroutine where this returns early
	defer cancel()
	for o := range s.core.Client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix}) {
		if o.Err != nil {
			return nil, s.explain(o.Err)
		}
		if name := strings.TrimPrefix(o.Key, s.prefix); CheckName(name) == nil {
			objects = append(objects, Object{Name: name, Size: o.Size, Modified: o.LastModified.UTC()})
		}
	}
	uploads, err := s.uploads(ctx, s.prefix)
	if err != nil {
		return nil, err
	}
	for _, u := range uploads {
		if name := strings.TrimPrefix(u.Key, s.prefix); CheckName(name) == nil {
			objects = append(objects, Object{Name: name + partial, Modified: u.Initiated.UTC(), Partial: true})
		}
	}
	sortByName(objects)
	return objects, ctx.Err()
}

// uploads returns the multipart uploads under a prefix that were not completed. A service that knows no such list, or
// does not let us see it, has none that we could remove.
func (s *s3) uploads(ctx context.Context, prefix string) ([]minio.ObjectMultipartInfo, error) {
	var all []minio.ObjectMultipartInfo
	var key, id string
	for {
		page, err := s.core.ListMultipartUploads(ctx, s.bucket, prefix, key, id, "", 1000)
		switch code := minio.ToErrorResponse(err).Code; {
		case err == nil:
		case code == minio.AccessDenied, code == minio.NotImplemented, code == minio.MethodNotAllowed, code == minio.NoSuchUpload:
			return nil, nil
		default:
			return nil, s.explain(err)
		}
		all = append(all, page.Uploads...)
		if !page.IsTruncated || page.NextKeyMarker == "" || page.NextKeyMarker == key && page.NextUploadIDMarker == id {
			return all, nil
		}
		key, id = page.NextKeyMarker, page.NextUploadIDMarker
	}
}

func (s *s3) Put(ctx context.Context, name string, r io.Reader) error {
	if err := CheckName(name); err != nil {
		return err
	}
	key := s.prefix + name
	// Services that know no conditional writes overwrite; this keeps all from it but those who race.
	if _, err := s.core.Client.StatObject(ctx, s.bucket, key, minio.StatObjectOptions{}); err == nil {
		return fmt.Errorf("store %s: %s: %w", s, name, ErrExists)
	} else if err := s.explain(err); !errors.Is(err, ErrNotExist) {
		return err
	}
	from := &source{r: &interruptible{ctx, r}}
	buffer := make([]byte, s3Part)
	n, err := fill(from, buffer)
	switch {
	case err == io.EOF:
		err = s.conditional(func(o minio.PutObjectOptions) error {
			_, err := s.core.PutObject(ctx, s.bucket, key, bytes.NewReader(buffer[:n]), int64(n), s.md5(buffer[:n]), sum(buffer[:n]), s.locked(o))
			return err
		})
	case err == nil:
		err = s.multipart(ctx, key, from, buffer)
	}
	if from.failed != nil {
		return fmt.Errorf("store %s: write %s: %w", s, name, from.failed)
	}
	if err != nil {
		return s.explain(fmt.Errorf("write %s: %w", name, err))
	}
	return nil
}

// multipart uploads the full buffer and what follows it, in parts.
func (s *s3) multipart(ctx context.Context, key string, r io.Reader, buffer []byte) (err error) {
	id, err := s.core.NewMultipartUpload(ctx, s.bucket, key, s.locked(minio.PutObjectOptions{}))
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			// Where this fails too, List shows it as partial.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s3Cleanup)
			defer cancel()
			_ = s.core.AbortMultipartUpload(ctx, s.bucket, key, id)
		}
	}()
	var parts []minio.CompletePart
	n, ended := len(buffer), false
	for n > 0 {
		if len(parts) == s3PartLimit {
			return fmt.Errorf("it is larger than %d GiB, the most that fits an object", s3PartLimit*s3Part>>30)
		}
		part, err := s.core.PutObjectPart(ctx, s.bucket, key, id, len(parts)+1, bytes.NewReader(buffer[:n]), int64(n),
			minio.PutObjectPartOptions{Md5Base64: s.md5(buffer[:n]), Sha256Hex: sum(buffer[:n]), DisableContentSha256: true})
		if err != nil {
			return err
		}
		parts = append(parts, minio.CompletePart{PartNumber: part.PartNumber, ETag: part.ETag})
		if ended {
			break
		}
		if n, err = fill(r, buffer); err != nil && err != io.EOF {
			return err
		}
		ended = err == io.EOF
	}
	return s.conditional(func(o minio.PutObjectOptions) error {
		_, err := s.core.CompleteMultipartUpload(ctx, s.bucket, key, id, parts, o)
		return err
	})
}

// fill reads until the buffer is full (nil) or the source ends (io.EOF).
func fill(r io.Reader, buffer []byte) (n int, err error) {
	n, err = io.ReadFull(r, buffer)
	if err == io.ErrUnexpectedEOF { // ReadFull's own: a source hides errors
		err = io.EOF
	}
	return n, err
}

// conditional makes the request that brings an object into being, on the condition that there is none of its name, and
// again without the condition where the service does not know it.
func (s *s3) conditional(request func(minio.PutObjectOptions) error) error {
	var o minio.PutObjectOptions
	o.DisableContentSha256 = true // the digest is given instead
	none := o
	none.SetMatchETagExcept("*")
	err := request(none)
	if minio.ToErrorResponse(err).Code == minio.NotImplemented {
		err = request(o)
	}
	return err
}

// locked adds the object lock that was asked for.
func (s *s3) locked(o minio.PutObjectOptions) minio.PutObjectOptions {
	if s.lock.Mode != "" {
		o.Mode = minio.RetentionMode(strings.ToUpper(s.lock.Mode))
		o.RetainUntilDate = time.Now().Add(s.lock.For).UTC()
	}
	return o
}

// md5 is what S3 wants with an object that is locked, and nobody else does.
func (s *s3) md5(data []byte) string {
	if s.lock.Mode == "" {
		return ""
	}
	sum := md5.Sum(data)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func sum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func (s *s3) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	body, _, _, err := s.core.GetObject(ctx, s.bucket, s.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, s.explain(fmt.Errorf("read %s: %w", name, err))
	}
	return &s3Body{s: s, name: name, ReadCloser: body}, nil
}

// s3Body gives errors in the middle of an object their names.
type s3Body struct {
	io.ReadCloser
	s    *s3
	name string
}

func (b *s3Body) Read(data []byte) (int, error) {
	n, err := b.ReadCloser.Read(data)
	if err != nil && err != io.EOF {
		err = b.s.explain(fmt.Errorf("read %s: %w", b.name, err))
	}
	return n, err
}

func (s *s3) Remove(ctx context.Context, name string) error {
	if whole, ok := strings.CutSuffix(name, partial); ok && CheckName(whole) == nil {
		return s.abort(ctx, s.prefix+whole)
	}
	if err := CheckName(name); err != nil {
		return err
	}
	if err := s.core.Client.RemoveObject(ctx, s.bucket, s.prefix+name, minio.RemoveObjectOptions{}); err != nil {
		if err := s.explain(fmt.Errorf("remove %s: %w", name, err)); !errors.Is(err, ErrNotExist) {
			return err
		}
	}
	return nil
}

// abort ends the multipart uploads of a key that were not completed.
func (s *s3) abort(ctx context.Context, key string) error {
	uploads, err := s.uploads(ctx, key)
	if err != nil {
		return err
	}
	for _, u := range uploads {
		if u.Key != key {
			continue
		}
		if err := s.core.AbortMultipartUpload(ctx, s.bucket, key, u.UploadID); err != nil && minio.ToErrorResponse(err).Code != minio.NoSuchUpload {
			return s.explain(err)
		}
	}
	return nil
}
