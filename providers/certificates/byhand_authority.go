package certificates

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"upkeep/providers"
)

// issueFunction signs a certificate again with the key of its CA, for the key that it has: what openssl reads out of
// the old one goes into the new one. An extension that it does not know stops it. The new file takes the place of the
// old one when it is proved, with the owner and the mode of the old one.
const issueFunction = `ext() { openssl x509 -noout -ext "$2" -in "$1" 2>/dev/null | sed -n '2,$s/^ *//p'; }
issue() { # NAME FILE KEY AUTHORITY AUTHORITYKEY DAYS
  [ -z "$(ext "$2" keyUsage)" ] || stop "$1 has a keyUsage, which these commands do not keep"
  names=$(ext "$2" subjectAltName | sed 's/IP Address:/IP:/g')
  usages=$(ext "$2" extendedKeyUsage | sed 's/TLS Web Server Authentication/serverAuth/')
  usages=$(echo "$usages" | sed 's/TLS Web Client Authentication/clientAuth/')
  case $usages in *" Auth"* | *OID* | "") stop "$1 has usages that these commands do not keep: $usages" ;; esac
  left=$(( ($(date -d "$(openssl x509 -noout -enddate -in "$4" | cut -d= -f2)" +%s) - $(date +%s)) / 86400 ))
  days=$6
  [ "$days" -le "$left" ] || days=$left
  [ "$days" -gt 0 ] || stop "the authority of $1 has expired"
  {
    echo "basicConstraints = CA:FALSE"
    echo "extendedKeyUsage = $usages"
    if [ -n "$names" ]; then echo "subjectAltName = $names"; fi
  } >extensions
  openssl x509 -x509toreq -in "$2" -signkey "$3" -out request 2>/dev/null || stop "the key of $1 cannot be used"
  cp -p "$2" "$2.new"
  openssl x509 -req -in request -CA "$4" -CAkey "$5" -set_serial "0x$(openssl rand -hex 15)" -days "$days" -sha256 \
    -extfile extensions 2>/dev/null >"$2.new" || stop "$1 was not signed"
  openssl verify -CAfile "$4" -no-CApath "$2.new" >/dev/null || stop "$1 does not chain to $4"
  for field in pubkey subject; do
    [ "$(openssl x509 -noout -$field -in "$2.new")" = "$(openssl x509 -noout -$field -in "$2")" ] || stop "$1 has another $field"
  done
  for e in subjectAltName extendedKeyUsage; do
    [ "$(ext "$2.new" $e)" = "$(ext "$2" $e)" ] || stop "$1 has another $e"
  done
  sync "$2.new"
  mv "$2.new" "$2"
  echo "$1: $(openssl x509 -noout -serial -enddate -in "$2" | tr '\n' ' ')"
}`

// split returns the names that kubeadm renews, and those that are issued again by their authority.
func split(names []string) (kubeadm, authority []string) {
	for _, name := range names {
		if byAuthority(name) {
			authority = append(authority, name)
		} else {
			kubeadm = append(kubeadm, name)
		}
	}
	return kubeadm, authority
}

// directories are where the certificates of names are, apart from /etc/kubernetes: an archive takes them as well.
func (h commandWriter) directories(names []string) (out []string) {
	for _, name := range names {
		f := file(&h.node.Certificates, name)
		if f == nil || !byAuthority(name) || !path.IsAbs(f.Path) {
			continue
		}
		if dir := path.Dir(f.Path); !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	return out
}

// issueAgain has openssl issue kubespray's certificates of etcd again, which kubeadm does not know.
func (h commandWriter) issueAgain(names []string) providers.Command {
	lines := []string{stopFunction, issueFunction, "umask 077", "mkdir -p " + handDirectory, "cd " + handDirectory}
	ground, _ := providers.GroundOf[renewGround](h.step)
	for _, name := range names {
		f := file(&h.node.Certificates, name)
		if f == nil || len(f.Blocks) == 0 {
			continue
		}
		ca := file(&h.node.Certificates, f.Authority)
		if ca == nil {
			continue
		}
		if planned, ok := ground.certificate(name); ok {
			const other = " is not the one that this was made for; where it was renewed already, leave this block out"
			lines = append(lines,
				`[ "$(openssl x509 -noout -serial -in `+providers.ShellWord(f.Path)+`)" = serial=`+providers.ShellWord(planned.Serial)+` ] ||`,
				"  stop "+providers.ShellWord(name+other))
		}
		days := int64(f.Blocks[0].NotAfter.Sub(f.Blocks[0].NotBefore) / (24 * time.Hour))
		lines = append(lines, strings.Join([]string{
			"issue", providers.ShellWord(name), providers.ShellWord(f.Path), providers.ShellWord(f.KeyPath),
			providers.ShellWord(ca.Path), providers.ShellWord(ca.KeyPath), fmt.Sprint(days),
		}, " "))
	}
	return h.command("issue "+strings.Join(names, ", ")+" again with the key of their authority", script(lines...),
		"a line for each with a new serial and its end", "a line that begins with STOP: put back what stood there", h.putBack())
}
