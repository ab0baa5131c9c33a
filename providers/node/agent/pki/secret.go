package pki

import (
	"encoding/json"
	"errors"
)

// parseSecret reads a Secret of type kubernetes.io/tls in JSON, as rancher's dynamiclistener keeps its own
// certificate in a file (storage/file). Errors hold no contents.
func parseSecret(text []byte) (cert, key []byte, err error) {
	var secret struct {
		Data map[string][]byte `json:"data"`
	}
	if len(text) == 0 {
		return nil, nil, errors.New("the file is empty")
	}
	if json.Unmarshal(text, &secret) != nil {
		return nil, nil, errors.New("it is not a Secret in JSON: the text cannot be parsed, or its data is not base64")
	}
	cert, key = secret.Data["tls.crt"], secret.Data["tls.key"]
	if len(cert) == 0 {
		return nil, nil, errors.New("it is a Secret without tls.crt")
	}
	return cert, key, nil
}
