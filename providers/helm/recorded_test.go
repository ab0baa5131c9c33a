package helm

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func zip(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// revisionSecret is the record of a revision as Helm stores one.
func revisionSecret(name string, kind corev1.SecretType, record []byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name, Labels: map[string]string{"owner": "helm", "name": "r", "version": name[len(name)-1:]}},
		Type:       kind, Data: map[string][]byte{"release": []byte(base64.StdEncoding.EncodeToString(record))},
	}
}

// TestRecordsOfReleases: Helm's driver leaves out what it cannot read, and the revision before would count as the newest.
// Here it is an error, and so is what two readers read in two ways.
func TestRecordsOfReleases(t *testing.T) {
	const text = `{"name":"r","namespace":"n","version":2,"info":{"status":"deployed"},"config":{"password":"canary"}}`
	first := revisionSecret("sh.helm.release.v1.r.v1", recordType, zip(t, `{"name":"r","namespace":"n","version":1,"info":{"status":"superseded"}}`))
	for name, test := range map[string]struct {
		record []byte
		kind   corev1.SecretType
		want   string
	}{
		"sound":                  {zip(t, text), recordType, ""},
		"not packed":             {[]byte(text), recordType, ""},
		"of another type":        {[]byte("x"), "Opaque", "it is not the JSON of a release"},
		"two streams":            {slices.Concat(zip(t, text), zip(t, "{}")), recordType, "something follows the compressed data"},
		"a second, empty stream": {slices.Concat(zip(t, text), zip(t, "")), recordType, "something follows the compressed data"},
		"bytes behind":           {append(zip(t, text), "canary"...), recordType, "something follows the compressed data"},
		"more than fits":         {zip(t, `{"name":"`+strings.Repeat("x", recordLimit)+`"}`), recordType, "more than 67108864 bytes"},
		"a key twice":            {zip(t, strings.Replace(text, `"version":2`, `"version":2,"version":1`, 1)), recordType, `the key "version" stands twice`},
		"a key in another case":  {zip(t, strings.Replace(text, `"version":2`, `"version":2,"Version":1`, 1)), recordType, `the key "Version" stands twice`},
		"a value twice":          {zip(t, strings.Replace(text, `"canary"`, `"canary","password":"x"`, 1)), recordType, `the key "password" stands twice`},
		"cut off":                {zip(t, text)[:40], recordType, "unexpected EOF"},
		"no JSON":                {zip(t, "canary"), recordType, "it is not the JSON of a release"},
		"another kind":           {zip(t, `{"name":{"a":"canary"}}`), recordType, "it is not the JSON of a release"},
		"two values":             {zip(t, text+text), recordType, "it is not the JSON of a release"},
		"no status":              {zip(t, `{"name":"r","version":2}`), recordType, "does not say which status"},
		"null":                   {zip(t, "null"), recordType, "does not say which status"},
		"another release":        {zip(t, strings.Replace(text, `"name":"r"`, `"name":"s"`, 1)), recordType, "names another release"},
		"another revision":       {zip(t, strings.Replace(text, `"version":2`, `"version":7`, 1)), recordType, "names another revision"},
		"empty":                  {nil, recordType, "it is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			other := revisionSecret("other", "Opaque", nil)
			other.Data = map[string][]byte{"password": []byte("x")}
			secrets := fake.NewClientset(first, other, revisionSecret("sh.helm.release.v1.r.v2", test.kind, test.record)).CoreV1().Secrets("n")
			releases := storage.Init(driver.NewSecrets(recorded{secrets}))
			history, err := releases.History("r")
			_, errOfOne := releases.Get("r", 2)
			if test.want == "" {
				if err != nil || test.kind == recordType && len(history) != 2 {
					t.Errorf("%d revisions, %v", len(history), err)
				}
				return
			}
			for _, err := range []error{err, errOfOne} {
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "sh.helm.release.v1.r.v2") {
					t.Errorf("%v; want %q", err, test.want)
				} else if strings.Contains(err.Error(), "canary") {
					t.Errorf("%v quotes the record", err)
				}
			}
		})
	}
}

// TestARevisionIsRecordedOnce: which of two records of one revision counts must not follow from their names.
func TestARevisionIsRecordedOnce(t *testing.T) {
	record := func(status string) []byte {
		return zip(t, `{"name":"r","namespace":"n","version":2,"info":{"status":"`+status+`"}}`)
	}
	for name, test := range map[string]struct {
		records []string
		want    string
	}{
		"once":  {[]string{"sh.helm.release.v1.r.v2"}, ""},
		"twice": {[]string{"sh.helm.release.v1.r.v2", "forged-2"}, "two Secrets record revision 2"},
	} {
		t.Run(name, func(t *testing.T) {
			secrets := fake.NewClientset()
			for i, name := range test.records {
				if err := secrets.Tracker().Add(revisionSecret(name, recordType, record([]string{"deployed", "failed"}[i]))); err != nil {
					t.Fatal(err)
				}
			}
			c := &Client{limit: make(chan struct{}, 1), configuration: func(string) (*action.Configuration, error) {
				return &action.Configuration{Releases: storage.Init(driver.NewSecrets(recorded{secrets.CoreV1().Secrets("n")}))}, nil
			}}
			history, err := c.history(t.Context(), "n", "r")
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) || err == nil && len(history) != 1 {
				t.Errorf("%d revisions, %v", len(history), err)
			}
		})
	}
}
