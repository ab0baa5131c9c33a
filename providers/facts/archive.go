package facts

// DownloadQuestion asks for a small text that the operator keeps behind a URL: a bid price script.
type DownloadQuestion struct {
	URL string `json:"url"`
}

// Download is what stands behind a URL.
type Download struct {
	// Unknown: it could not be fetched; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// SHA256 is that of its bytes, in hexadecimal.
	SHA256 string `json:"sha256,omitempty"`
	Text   string `json:"text,omitempty" plain:"-"`
}

// ArchiveQuestion asks which revisions of a release are in an archive.
type ArchiveQuestion struct {
	// Directory is where the archive is, on the machine that upkeep runs on; a relative one is meant against the
	// configuration directory.
	Directory string `json:"directory"`
	Namespace string `json:"namespace"`
	Release   string `json:"release"`
}

// Archive is what an archive holds of one release.
type Archive struct {
	// Unknown: it could not be read; why. An archive that does not exist yet is empty, not unknown.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Entries are sorted by revision.
	Entries []ArchiveEntry `json:"entries,omitempty"`
}

// ArchiveEntry is one archived revision of a release. What was archived is secret; that it was is not.
type ArchiveEntry struct {
	Revision int    `json:"revision"`
	Chart    string `json:"chart,omitempty"` // "provider-6.0.5"
	// Script is the SHA-256 of the archived script in hexadecimal; empty where the release had none.
	Script string `json:"script,omitempty"`
	// Release is when that revision was made, as Helm recorded it: a release that was uninstalled counts from 1 again.
	Release string `json:"release,omitempty"`
}

// Entry returns the entry of a revision, and whether there is one.
func (a Archive) Entry(revision int) (ArchiveEntry, bool) {
	for _, e := range a.Entries {
		if e.Revision == revision {
			return e, true
		}
	}
	return ArchiveEntry{}, false
}
