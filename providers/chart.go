package providers

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"upkeep/config"
	"upkeep/providers/facts"
)

var digestPattern = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

// ChartTrust reads what the block chart says of the trust in its source, for every domain that has such a block: the expected
// SHA-256 of the archive, and whether the source may lack TLS and the templates may read the cluster.
func ChartTrust(b config.Block, source *facts.ChartSource) (sha256 string, diags hcl.Diagnostics) {
	source.Insecure, source.Lookup = b.Bool("insecure"), b.Bool("lookup")
	argument := "repository"
	if b.String("oci") != "" {
		argument = "oci"
	}
	if at, err := url.Parse(source.Repository); source.Repository != "" && source.Path == "" {
		switch {
		case err != nil || at.Scheme != "" && at.Host == "":
			diags = append(diags, b.Diagnose(argument, "Invalid URL", fmt.Sprintf("%q names no host. Write https://HOST/PATH or oci://HOST/PATH.", source.Repository)))
		case at.User != nil:
			diags = append(diags, b.Diagnose(argument, "Credentials in a URL",
				"A plan shows this URL. Remove the user and the password from it, and run `helm registry login`, or give the chart as a path."))
		}
	}
	if source.Insecure && !source.InTheClear() {
		diags = append(diags, b.Diagnose("insecure", "Nothing to allow", "insecure allows a repository without TLS (http://), and the source of this chart is none. Remove insecure."))
	}
	if source.InTheClear() && !source.Insecure {
		diags = append(diags, b.Diagnose("repository", "No TLS", fmt.Sprintf("%q has no TLS, so anybody on the way may replace the chart. Write https://, or insecure = true.", source.Repository)))
	}
	sha256 = strings.ToLower(strings.TrimPrefix(b.String("sha256"), "sha256:"))
	if sha256 != "" && !digestPattern.MatchString(sha256) {
		diags = append(diags, b.Diagnose("sha256", "Not a digest", fmt.Sprintf("%q is not a SHA-256, which has 64 hexadecimal digits.", b.String("sha256"))))
	}
	return sha256, diags
}
