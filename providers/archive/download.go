package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"upkeep/providers/facts"
)

// Bounds of a download. A bid price script has 12 KiB.
const (
	downloadTimeout = 20 * time.Second
	downloadLimit   = 256 << 10
)

// Downloads fetches texts by https. Client is http.DefaultClient where it is nil.
type Downloads struct{ Client *http.Client }

// Download fetches a text. It does not fail: why it could not is in the facts. The URL's query is in no error: it may
// hold a token.
func (d Downloads) Download(ctx context.Context, question facts.DownloadQuestion) facts.Download {
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	data, err := d.fetch(ctx, question.URL)
	if err != nil {
		return facts.Download{Unknown: err.Error()}
	}
	sum := sha256.Sum256(data)
	return facts.Download{SHA256: hex.EncodeToString(sum[:]), Text: string(data)}
}

func (d Downloads) fetch(ctx context.Context, from string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	client := d.Client
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(request)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err
		}
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %s", answer.Status)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, downloadLimit+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > downloadLimit:
		return nil, fmt.Errorf("it has more than %d bytes", downloadLimit)
	case !utf8.Valid(data):
		return nil, errors.New("it is no text")
	}
	return data, nil
}
