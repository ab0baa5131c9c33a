package certificates

import (
	"fmt"
	"strings"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// ByHand renews by kubeadm in place, and kubespray's etcd by openssl: a person watches, and the archive is the way
// back.
func (renewal) ByHand(in providers.Input, step providers.Step) []providers.Command {
	args, err := providers.ArgsOf[renewArgs](step)
	if err != nil {
		return nil
	}
	issued, err := readPolicy(args.ClusterConfiguration)
	if err != nil && len(args.Names) > 0 && !onlyByAuthority(args.Names) {
		return nil
	}
	h := byHand(in, step).during(args.Nodes, args.Outage, renewal{}.Predict(in, step))
	out := []providers.Command{h.lookFirst(), h.archive(args.Kubeconfigs, h.directories(args.Names)...)}
	names, again := split(args.Names)
	if len(again) > 0 {
		out = append(out, h.issueAgain(again))
	}
	if len(names) > 0 {
		out = append(out, h.configuration(args.ClusterConfiguration))
		if len(args.SANs) > 0 {
			out = append(out, h.makeAnew(names))
		} else {
			out = append(out, h.renew(names))
		}
		out = append(out, h.proveFiles(names, issued))
	}
	for _, path := range args.Kubeconfigs {
		out = append(out, h.takeOver(path))
	}
	if served := h.proveServed(args.Names); served.Run != "" && !h.early {
		out = append(out, served)
	}
	return append(out, h.lookLast())
}

// renew checks that the names are still the ones to renew, and has kubeadm issue them. kubeadm ends with 0 for a certificate
// that it does not find, too.
func (h commandWriter) renew(names []string) providers.Command {
	lines := []string{stopFunction, pemFunction, "cd " + handDirectory}
	ground, _ := providers.GroundOf[renewGround](h.step)
	for _, name := range names {
		planned, ok := ground.certificate(name)
		if !ok || h.path(name) == "" {
			continue
		}
		lines = append(lines, fmt.Sprintf(`[ "$(pem %s | openssl x509 -noout -serial)" = serial=%s ] || stop %s`, providers.ShellWord(h.path(name)), providers.ShellWord(planned.Serial),
			providers.ShellWord(name+" is not the one that this was made for; where it was renewed already, leave this block out")))
	}
	lines = append(lines,
		"renew() {",
		`  said=$(kubeadm certs renew "$1" --config kubeadm.yaml 2>&1) || stop "$1: $said"`,
		`  echo "$said"`,
		`  case $said in`,
		`  *MISSING!* | *"alling back"*) stop "$1 was not renewed as it must be" ;;`,
		`  *renewed*) ;;`,
		`  *) stop "$1: kubeadm does not say that it renewed it" ;;`,
		`  esac`,
		"}")
	for _, name := range names {
		lines = append(lines, "renew "+providers.ShellWord(name))
	}
	return h.command("renew "+strings.Join(names, ", "), script(lines...), fmt.Sprintf("%d times \"renewed\"", len(names)),
		"\"MISSING!\" or \"falling back to default configuration\"", h.putBack())
}

// pemFunction prints the certificate and embeddedKey the private key of a file or, where it is a kubeconfig, out of its current
// context. Private keys go into pipes alone.
const pemFunction = `embedded() { kubectl --kubeconfig "$1" config view --raw --minify -o jsonpath="{.users[0].user.$2}" | base64 -d; }
pem() { case $1 in *.crt) cat "$1" ;; *) embedded "$1" client-certificate-data ;; esac; }
key() { case $1 in *.crt) cat "$2" ;; *) embedded "$1" client-key-data ;; esac; }`

// proveFiles holds the new files to what must be so: another serial, the policy's life, the key's own certificate, the chain.
func (h commandWriter) proveFiles(names []string, issued policy) providers.Command {
	least, most := lifeBounds(issued)
	lines := []string{
		stopFunction, pemFunction,
		"prove() { # NAME FILE KEY AUTHORITY",
		`  pem "$2" | openssl verify -CAfile "$4" -no-CApath >/dev/null || stop "$1 does not chain to $4"`,
		`  [ "$(pem "$2" | openssl x509 -noout -pubkey)" = "$(key "$2" "$3" | openssl pkey -pubout)" ] || stop "the key of $1 does not belong to it"`,
		fmt.Sprintf(`  pem "$2" | openssl x509 -noout -checkend %d >/dev/null || stop "$1 lives shorter than the cluster's configuration says (%s)"`, least, span(issued.validity)),
		fmt.Sprintf(`  if pem "$2" | openssl x509 -noout -checkend %d >/dev/null; then stop "$1 lives longer than the cluster's configuration says (%s)"; fi`, most, span(issued.validity)),
		`  echo "$1: $(pem "$2" | openssl x509 -noout -serial -enddate | tr '\n' ' ')"`,
		"}",
	}
	ground, _ := providers.GroundOf[renewGround](h.step)
	for _, name := range names {
		f := file(&h.node.Certificates, name)
		if f == nil {
			continue
		}
		if planned, ok := ground.certificate(name); ok {
			lines = append(lines, fmt.Sprintf(`[ "$(pem %s | openssl x509 -noout -serial)" != serial=%s ] || stop %s`, providers.ShellWord(f.Path), providers.ShellWord(planned.Serial), providers.ShellWord(name+" still has its old serial")))
		}
		lines = append(lines, fmt.Sprintf("prove %s %s %s %s", providers.ShellWord(name), providers.ShellWord(f.Path), providers.ShellWord(f.KeyPath), providers.ShellWord(h.authorityPath(f))))
	}
	return h.command("prove what is on disk", script(lines...), fmt.Sprintf("%s with a new serial, ending %s from now", strings.Join(names, ", "), span(issued.validity)),
		"a line that begins with STOP: put back what stood there", h.putBack())
}

func (h commandWriter) authorityPath(f *facts.CertificateFile) string {
	if path := h.path(f.Authority); path != "" {
		return path
	}
	return "/etc/kubernetes/pki/ca.crt"
}

// takeOver gives a copy of admin.conf the new client certificate and leaves its server and its authorities.
func (h commandWriter) takeOver(path string) providers.Command {
	from := "/etc/kubernetes/" + adminConf
	if f := file(&h.node.Certificates, path); f != nil {
		if original := source(&h.node.Certificates, f); original != nil {
			from = original.Path
		}
	}
	return h.command("give "+path+" the new client certificate", script(
		stopFunction,
		"umask 077",
		"copy="+providers.ShellWord(path)+" from="+providers.ShellWord(from),
		"t=$(mktemp -d)",
		`trap 'rm -rf "$t"' EXIT`,
		`trap 'exit 1' HUP INT TERM PIPE`,
		`field() { kubectl --kubeconfig "$1" config view --raw --minify -o jsonpath="{$2}"; }`,
		`cluster=$(field "$copy" '.clusters[0].cluster')`,
		`field "$from" '.users[0].user.client-certificate-data' | base64 -d >"$t/crt"`,
		`field "$from" '.users[0].user.client-key-data' | base64 -d >"$t/key"`,
		`openssl x509 -noout -in "$t/crt"`,
		`[ "$(openssl x509 -noout -pubkey -in "$t/crt")" = "$(openssl pkey -pubout -in "$t/key")" ] || stop "$from has no key of its own"`,
		`kubectl --kubeconfig "$copy" config set-credentials "$(field "$copy" '.contexts[0].context.user')" \`,
		`  --client-certificate="$t/crt" --client-key="$t/key" --embed-certs=true`,
		`[ "$(field "$copy" '.clusters[0].cluster')" = "$cluster" ] || stop "$copy has another server or other authorities now"`,
		`[ "$(field "$copy" '.users[0].user.client-certificate-data')" = "$(field "$from" '.users[0].user.client-certificate-data')" ] ||`,
		`  stop "$copy does not hold the client certificate of $from"`,
	), "\"set.\"", "a line that begins with STOP", h.putBack())
}

// servedFunction waits until a port serves the certificate of a file. The API server looks at its files once a minute, etcd at
// each handshake.
const servedFunction = `serial() { openssl x509 -noout -serial -in "$1"; }
offered() { timeout 10 openssl s_client -connect "$1" </dev/null 2>/dev/null | openssl x509 -noout -serial 2>/dev/null; }
serves() { # ADDRESS FILE
  serial "$2" >/dev/null || stop "$2 cannot be read"
  n=0
  until [ "$(offered "$1")" = "$(serial "$2")" ]; do
    n=$((n+1)); [ $n -lt 150 ] || stop "$1 serves $(offered "$1"), and $2 is $(serial "$2")"; sleep 1
  done
  echo "$1 serves $(serial "$2")"
}`

// proveServed waits until the ports serve the new certificates; it is empty where no port serves one of the names.
func (h commandWriter) proveServed(names []string) providers.Command {
	lines := []string{stopFunction, servedFunction}
	for _, name := range names {
		for _, s := range h.node.Certificates.Served {
			if path := h.path(name); s.Name == name && s.Component != kubelet && path != "" {
				lines = append(lines, "serves "+providers.ShellWord(s.Address)+" "+providers.ShellWord(path))
			}
		}
	}
	if len(lines) == 2 {
		return providers.Command{}
	}
	return h.command("prove what is served", script(lines...), "every address with the serial that was shown for its file, within two minutes",
		"a line that begins with STOP: the component did not take up its new certificate", "")
}
