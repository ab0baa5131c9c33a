package helm

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"helm.sh/helm/v3/pkg/release"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"upkeep/providers/bounded"
	"upkeep/providers/strictjson"
)

// recordLimit bounds what the record of one revision holds. A Secret has at most 1 MiB, and the record of
// kube-prometheus-stack, one of the largest charts, unpacks to less than 10 MiB.
const recordLimit = 64 << 20

// recorded hands Helm's driver the Secrets that hold the records of releases, once they are known to be readable. The
// driver (Helm v3.22, pkg/storage/driver) unpacks without a limit. In a list it leaves out in silence what it cannot
// read, and the revision before would count as the newest one; alone it ends the program.
type recorded struct{ typedcorev1.SecretInterface }

func (r recorded) Get(ctx context.Context, name string, options metav1.GetOptions) (*corev1.Secret, error) {
	secret, err := r.SecretInterface.Get(ctx, name, options)
	if err != nil {
		return secret, err
	}
	if err := readable(*secret); err != nil {
		return nil, err
	}
	return secret, nil
}

func (r recorded) List(ctx context.Context, options metav1.ListOptions) (*corev1.SecretList, error) {
	list, err := r.SecretInterface.List(ctx, options)
	if err != nil {
		return list, err
	}
	for _, secret := range list.Items {
		if _, holds := secret.Data[recordKey]; !holds && secret.Type != recordType {
			continue // somebody else's, which Helm leaves out
		}
		if err := readable(secret); err != nil {
			return nil, err
		}
	}
	return list, nil
}

const (
	recordType = "helm.sh/release.v1" // of a Secret
	recordKey  = "release"
)

// readable says why a record of a release cannot be read. Its content is left out: values of a release hold secrets.
func readable(secret corev1.Secret) error {
	text, err := recordedText(secret.Data[recordKey])
	if err == nil {
		var r release.Release
		err = strictjson.Decode(text, &r)
		if twice := new(strictjson.TwiceError); err != nil && !errors.As(err, &twice) {
			err = errors.New("it is not the JSON of a release")
		}
		if err == nil {
			err = belongs(r, secret.Labels)
		}
	}
	if err != nil {
		return fmt.Errorf("the Secret %s/%s, which records a revision, cannot be read: %w",
			secret.Namespace, secret.Name, err)
	}
	return nil
}

// belongs says why a record is not the one that its labels say, by which Helm finds it.
func belongs(r release.Release, labels map[string]string) error {
	version, labelled := labels["version"]
	switch {
	case r.Info == nil:
		return errors.New("it does not say which status the revision has")
	case labels["name"] != "" && labels["name"] != r.Name:
		return errors.New("its label names another release")
	case labelled && version != strconv.Itoa(r.Version):
		return errors.New("its label names another revision")
	}
	return nil
}

// recordedText unpacks a record: base64 of JSON, which is packed but for releases of Helm 3's first versions.
func recordedText(record []byte) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(string(record))
	switch {
	case err != nil:
		return nil, errors.New("it is not base64")
	case len(data) == 0:
		return nil, errors.New("it is empty")
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b, 0x08}): // as the driver tells it
		return bounded.Gunzip(data, recordLimit)
	}
	return data, nil
}
