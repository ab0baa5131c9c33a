package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ReadFile reads the file that a string argument names; a relative path is meant against the configuration directory. It
// refuses more than limit bytes. Errors do not repeat the path.
func (b Block) ReadFile(name string, limit int64) ([]byte, error) {
	path := b.String(name)
	if !filepath.IsAbs(path) {
		path = filepath.Join(b.Directory, path)
	}
	file, err := os.Open(path)
	if err == nil {
		defer file.Close()
		var data []byte
		if data, err = io.ReadAll(io.LimitReader(file, limit+1)); err == nil && int64(len(data)) > limit {
			return nil, fmt.Errorf("it has more than %d bytes", limit)
		} else if err == nil {
			return data, nil
		}
	}
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return nil, err
}
