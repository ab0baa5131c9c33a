package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Expiration is what `kubeadm certs check-expiration -o json` says: kind CertificateExpirationInfo of
// output.kubeadm.k8s.io/v1alpha3. Only what a test compares with is read.
type Expiration struct {
	Certificates []ExpiringCertificate `json:"certificates"`
	Authorities  []ExpiringCertificate `json:"certificateAuthorities"`
}

// ExpiringCertificate is one line of it.
type ExpiringCertificate struct {
	Name              string    `json:"name"`              // kubeadm's name: "apiserver", "admin.conf", "etcd-peer"
	Expires           time.Time `json:"expirationDate"`    // zero if Missing
	Residual          Seconds   `json:"residualTime"`      // negative once expired
	Authority         string    `json:"caName"`            // "ca", "etcd-ca", "front-proxy-ca"; empty for an authority
	ExternallyManaged bool      `json:"externallyManaged"` // its CA's key is not on the node
	Missing           bool      `json:"missing"`
}

// Seconds is a duration that JSON holds as a whole number of seconds.
type Seconds time.Duration

// UnmarshalJSON reads a number of seconds.
func (s *Seconds) UnmarshalJSON(text []byte) error {
	var seconds int64
	if err := json.Unmarshal(text, &seconds); err != nil {
		return err
	}
	const most = int64(1<<63-1) / int64(time.Second)
	if seconds > most || seconds < -most {
		return fmt.Errorf("%d seconds is more than a duration holds", seconds)
	}
	*s = Seconds(time.Duration(seconds) * time.Second)
	return nil
}

// ParseExpiration reads kubeadm's output.
func ParseExpiration(text []byte) (Expiration, error) {
	var document struct {
		Kind string `json:"kind"`
		Expiration
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return Expiration{}, fmt.Errorf("kubeadm certs check-expiration -o json: %w", err)
	}
	if document.Kind != "CertificateExpirationInfo" {
		return Expiration{}, fmt.Errorf("kubeadm certs check-expiration -o json: kind %q, expected CertificateExpirationInfo", document.Kind)
	}
	if len(document.Certificates) == 0 {
		return Expiration{}, errors.New("kubeadm certs check-expiration -o json: names no certificate")
	}
	return document.Expiration, nil
}

// CheckExpiration asks kubeadm on a node. kubeadm exits with 0 whatever it finds, so an error means that it did not answer.
func (l *Lab) CheckExpiration(ctx context.Context, node string) (Expiration, error) {
	text, err := l.SSH(ctx, node, "kubeadm certs check-expiration -o json")
	if err != nil {
		return Expiration{}, err
	}
	return ParseExpiration([]byte(text))
}
