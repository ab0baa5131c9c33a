package backup

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"upkeep/config"
)

// bucketPattern is what Amazon calls a bucket (S3 User Guide, "General purpose bucket naming rules"). Other
// services allow no more.
var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// checkS3 says what is wrong with where a store is, by argument.
func (s StoreSpec) checkS3() map[string]string {
	wrong := map[string]string{}
	if s.Bucket != "" && (!bucketPattern.MatchString(s.Bucket) || strings.Contains(s.Bucket, "..")) {
		wrong["bucket"] = fmt.Sprintf("%q is not the name of a bucket. A name has 3 to 63 of a-z, 0-9, \".\" and \"-\", and begins and ends with a letter or a digit.", s.Bucket)
	}
	if s.Endpoint != "" {
		if text := endpointFault(s.Endpoint); text != "" {
			wrong["endpoint"] = text
		}
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(s.Prefix, "/"), "/") {
		if s.Prefix != "" && (part == "" || part == "." || part == ".." || strings.ContainsFunc(part, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' })) {
			wrong["prefix"] = fmt.Sprintf("%q is not a prefix of names. Write plain words with \"/\" between them, such as \"cluster1/\".", s.Prefix)
		}
	}
	return wrong
}

// endpointFault says why a text is not where a service is. What stands before an "@" is a secret as a rule, so it
// is not shown.
func endpointFault(text string) string {
	full := text
	if !strings.Contains(text, "://") {
		full = "https://" + text
	}
	u, err := url.Parse(full)
	switch {
	case strings.Contains(text, "@"):
		return "The address has a user or a password in it. Give access_key and secret_key instead."
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || !config.ValidHost(u.Hostname()) || strings.HasSuffix(u.Host, ":"):
		return fmt.Sprintf("%q is not a service. Write a host, such as \"s3.example.net\", or a URL, such as \"http://127.0.0.1:9000\".", text)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return fmt.Sprintf("%q goes on behind the host. Name the bucket in bucket, and what stands before names in prefix.", text)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Sprintf("%q has a port that is not from 1 to 65535.", text)
		}
	}
	return ""
}
