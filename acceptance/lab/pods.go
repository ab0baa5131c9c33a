package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// AddImage gives every node a container image that holds some static programs and nothing else; the first is its entry
// point. Nothing of the lab is in it: whoever adds one takes it away again.
func (l *Lab) AddImage(ctx context.Context, reference string, programs ...string) error {
	return l.AddImageWith(ctx, reference, nil, programs...)
}

// AddImageWith is AddImage with further files, by their absolute path in the image.
func (l *Lab) AddImageWith(ctx context.Context, reference string, files map[string]string, programs ...string) error {
	dir, err := os.MkdirTemp("", "upkeep-lab-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "image.tar")
	if err := (image{reference, programs, files}).write(path); err != nil {
		return fmt.Errorf("image %s: %w", reference, err)
	}
	archive, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return each(l.Nodes, func(n Node) error {
		_, err := l.SSHInput(ctx, n.Name, "ctr -n k8s.io images import -", string(archive))
		return err
	})
}

// RemoveImage takes an image that AddImage added away from every node.
func (l *Lab) RemoveImage(ctx context.Context, reference string) error {
	return each(l.Nodes, func(n Node) error {
		_, err := l.SSH(ctx, n.Name, "ctr -n k8s.io images rm --sync "+reference)
		return err
	})
}
