package providers

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"upkeep/config"
	"upkeep/providers/facts"
)

var digestPattern = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

// ChartAccess are the credentials of a chart repository. No plan, no facts and no state hold them.
type ChartAccess struct {
	Repository string
	Username   string
	Password   config.Secret
}

// ChartAccessAttributes are the arguments of a block chart that ChartCredentials reads.
func ChartAccessAttributes() []config.Attribute {
	return []config.Attribute{
		{Name: "username", Type: cty.String, Doc: "The user of the repository or registry. It needs `password`."},
		{
			Name: "password", Type: cty.String, Sensitive: true,
			Doc: "The password or token, from a variable or `env(\"NAME\")`. No plan shows or holds it, and it goes to the host of the repository alone. " +
				"A registry without both takes the credentials of `helm registry login`.",
		},
	}
}

// ChartCredentials reads the credentials of a block chart for its source; nil where it has none.
func ChartCredentials(b config.Block, source *facts.ChartSource) (*ChartAccess, hcl.Diagnostics) {
	access := ChartAccess{Repository: source.Repository, Username: b.String("username"), Password: b.Secret("password")}
	switch {
	case access.Username == "" && access.Password.Empty():
		return nil, nil
	case access.Username == "" || access.Password.Empty():
		return nil, hcl.Diagnostics{b.Diagnose("username", "Half of the credentials", "username and password belong together. Write both, or neither.")}
	case source.Path != "":
		return nil, hcl.Diagnostics{b.Diagnose("username", "Credentials of no repository", "A chart at a path needs no credentials. Remove username and password.")}
	case source.InTheClear():
		return nil, hcl.Diagnostics{b.Diagnose("username", "Credentials without TLS", "The password would cross the network in the clear. Write https:// in repository.")}
	}
	source.Private = true
	return &access, nil
}

// Userinfo is the error about credentials within an address: they would show wherever the address does. It points at
// the block, since the line of the address shows the password. It is nil where the address holds none.
func Userinfo(b config.Block, argument, address string) hcl.Diagnostics {
	at, err := url.Parse(address)
	if err == nil && at.User == nil {
		return nil
	}
	if err != nil && !strings.Contains(address, "@") {
		return nil
	}
	return hcl.Diagnostics{b.Diagnose("", "Credentials in a URL", fmt.Sprintf("%s holds a user or a password, which would show in plans and reports. "+
		"Remove it from the address. In a block chart, write username = \"NAME\" and password = var.NAME, or password = env(\"NAME\").", argument))}
}

// ChartTrust reads what the block chart says of the trust in its source, for every domain that has such a block: the
// expected SHA-256 of the archive, and whether the source may lack TLS and the templates may read the cluster.
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
