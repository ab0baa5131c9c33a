package certificates

import (
	"strings"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// ByHand undoes what is half done: the files that were not in place yet are put back from the archive that the renewal took; those
// that were are complete and stay. What that leaves due is renewed by the steps that follow.
func (repairing) ByHand(in providers.Input, step providers.Step) []providers.Command {
	h := byHand(in, step)
	out := []providers.Command{h.lookFirst(), h.archive(nil)}
	for _, u := range h.node.Certificates.Unfinished {
		out = append(out, h.undo(u))
	}
	return out
}

func (h commandWriter) undo(u facts.Unfinished) providers.Command {
	intent, archive := "/var/lib/upkeep/intents/"+u.ID, "/var/lib/upkeep/archive/"+u.ID+".tar.gz"
	kept := handDirectory + "/intent-" + u.ID
	if u.Unknown != "" || strings.Contains(u.ID, "/") {
		return h.command("look at renewal "+u.ID, script(stopFunction, "ls -l /var/lib/upkeep/intents /var/lib/upkeep/archive", `stop "nobody knows what this renewal was at"`),
			"what is there", "always: first compare each file of the intent with the installed file, and with the archive of the same name", "")
	}
	lines := []string{stopFunction, "umask 077", pemFunction, "archive=" + providers.ShellWord(archive), `[ -e ` + providers.ShellWord(intent+"/intent.json") + ` ] || stop "this renewal is no longer unfinished"`}
	var members, proofs []string
	for _, name := range u.Remaining {
		f := file(&h.node.Certificates, name)
		if f == nil || f.Missing {
			continue
		}
		for _, path := range []string{f.KeyPath, f.Path} {
			if path != "" {
				members = append(members, providers.ShellWord(strings.TrimPrefix(path, "/")))
			}
		}
		proofs = append(proofs, "prove "+providers.ShellWord(name)+" "+providers.ShellWord(f.Path)+" "+providers.ShellWord(f.KeyPath))
	}
	if len(members) > 0 {
		lines = append(lines, `tar -tzf "$archive" >/dev/null`, `tar -C / -xpzf "$archive" `+strings.Join(members, " "),
			`prove() { pem "$2" | openssl x509 -noout || stop "$1 holds no certificate"; [ "$(pem "$2" | openssl x509 -noout -pubkey)" = "$(key "$2" "$3" | openssl pkey -pubout)" ] || stop "the key of $1 does not belong to it"; echo "$1: intact"; }`)
		lines = append(lines, proofs...)
	}
	lines = append(lines, "mkdir -p "+handDirectory, "mv "+providers.ShellWord(intent)+" "+providers.ShellWord(kept), "ls -d "+providers.ShellWord(kept))
	return h.command("put back what renewal "+u.ID+" had not finished", script(lines...), "\"intact\" for each file, and the intent in its new place",
		"a line that begins with STOP", script("mv "+providers.ShellWord(kept)+" "+providers.ShellWord(intent), h.putBack()))
}
