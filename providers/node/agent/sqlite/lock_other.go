//go:build !linux

package sqlite

import (
	"errors"
	"os"
)

// Nodes run Linux; elsewhere there is nothing to lock against.

func lockShared(*os.File, int64, int64) (bool, error) { return false, errors.ErrUnsupported }

func unlock(*os.File, int64, int64) error { return errors.ErrUnsupported }

func locked(*os.File, int64, int64) (bool, error) { return false, errors.ErrUnsupported }
