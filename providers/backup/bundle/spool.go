package bundle

import (
	"bufio"
	"errors"
	"io"
	"os"

	"filippo.io/age"
)

// spool holds a bundle on this machine until its store takes it. It is a file without a name, so that nothing is left of it
// when the process ends in any way. A bundle that is not encrypted is encrypted there, for a key that never leaves the process.
type spool struct {
	file     *os.File
	buffered *bufio.Writer
	crypt    io.WriteCloser      // nil where the bundle is encrypted itself
	key      *age.X25519Identity // for crypt
}

func newSpool(directory string, encrypted bool) (*spool, error) {
	file, err := os.CreateTemp(directory, ".upkeep-spool-") // 0600
	if err != nil {
		return nil, err
	}
	s := &spool{file: file, buffered: bufio.NewWriterSize(file, 1<<20)}
	if err = os.Remove(file.Name()); err == nil && !encrypted {
		if s.key, err = age.GenerateX25519Identity(); err == nil {
			s.crypt, err = age.Encrypt(s.buffered, s.key.Recipient())
		}
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return s, nil
}

func (s *spool) Write(data []byte) (int, error) {
	if s.crypt != nil {
		return s.crypt.Write(data)
	}
	return s.buffered.Write(data)
}

// read ends writing and returns what was written.
func (s *spool) read() (io.Reader, error) {
	if s.crypt != nil {
		if err := s.crypt.Close(); err != nil {
			return nil, err
		}
	}
	if err := s.buffered.Flush(); err != nil {
		return nil, err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	from := bufio.NewReaderSize(s.file, 1<<20)
	if s.crypt == nil {
		return from, nil
	}
	return age.Decrypt(from, s.key)
}

func (s *spool) Close() error { return s.file.Close() }
