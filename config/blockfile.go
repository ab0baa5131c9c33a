package config

// ReadFile reads the file that a string argument names; a relative path is meant against the configuration directory.
// It refuses more than limit bytes, and what is no regular file. Errors do not repeat the path.
func (b Block) ReadFile(name string, limit int64) ([]byte, error) {
	r := b.reach
	if r.directory == "" {
		r.directory = b.Directory
	}
	data, err := r.read(b.String(name), limit)
	return data, reason(err)
}
