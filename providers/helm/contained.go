package helm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
)

// directoryLimit bounds the files of a chart's directory, as Helm bounds those of an archive.
const directoryLimit = 100 << 20

// contained reports a chart's directory that Helm would follow out of, wait in, or fill the memory with.
func contained(path string) error {
	root, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	total := int64(0)
	return filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		shown, _ := filepath.Rel(root, name) // it lies below root
		if entry.Type()&fs.ModeSymlink != 0 {
			to, err := filepath.EvalSymlinks(name)
			if err != nil {
				return fmt.Errorf("%s is a link that leads nowhere", shown)
			}
			if inside, err := filepath.Rel(root, to); err != nil || !filepath.IsLocal(inside) {
				return fmt.Errorf("%s is a link that leads out of the chart", shown)
			}
			return nil
		}
		info, err := entry.Info()
		switch {
		case err != nil:
			return err
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s is not a regular file", shown)
		}
		if total += info.Size(); total > directoryLimit {
			return fmt.Errorf("its files have more than %d MiB", directoryLimit>>20)
		}
		return nil
	})
}

// checkSchemas reports a values.schema.json that refers to anything but itself: Helm would read that file, or fetch
// that URL, with the rights and from the network of whoever plans.
func checkSchemas(c *chart.Chart) error {
	if len(c.Schema) > 0 {
		decoder := json.NewDecoder(bytes.NewReader(c.Schema))
		decoder.UseNumber()
		var schema any
		if err := decoder.Decode(&schema); err != nil {
			return fmt.Errorf("values.schema.json of %s: %w", c.Name(), err)
		}
		if err := closed(schema); err != nil {
			return fmt.Errorf("values.schema.json of %s: %w", c.Name(), err)
		}
	}
	for _, dependency := range c.Dependencies() {
		if err := checkSchemas(dependency); err != nil {
			return err
		}
	}
	return nil
}

// metaschemas are the drafts that need not be fetched (json-schema.org).
var metaschemas = []string{"draft-04/schema", "draft-06/schema", "draft-07/schema", "draft/2019-09/schema", "draft/2020-12/schema", "schema"}

// closed reports a reference of a JSON schema that leads out of it.
func closed(schema any) error {
	switch schema := schema.(type) {
	case []any:
		for _, element := range schema {
			if err := closed(element); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, value := range schema {
			to, text := value.(string)
			switch {
			case !text:
			case key == "$ref" || key == "$dynamicRef" || key == "$recursiveRef":
				if !strings.HasPrefix(to, "#") {
					return fmt.Errorf("it refers to %q, and upkeep neither reads files nor fetches URLs for a chart's schema", to)
				}
			case key == "$schema" && !known(to):
				return fmt.Errorf("its $schema is %q, which upkeep does not fetch", to)
			}
			if err := closed(value); err != nil {
				return err
			}
		}
	}
	return nil
}

func known(metaschema string) bool {
	at := strings.TrimSuffix(metaschema, "#")
	for _, scheme := range []string{"http://", "https://"} {
		for _, name := range metaschemas {
			if at == scheme+"json-schema.org/"+name {
				return true
			}
		}
	}
	return false
}
