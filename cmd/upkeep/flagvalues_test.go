package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"
)

// TestFlagValuesAreCheckedFirst gives each flag a value that cannot be meant, where nothing else is right either: there is no
// configuration, no plan file and no cluster. The flag is what is told.
func TestFlagValuesAreCheckedFirst(t *testing.T) {
	p := place{t: t, directory: t.TempDir()}
	t.Chdir(p.directory)
	digest := "sha256:" + strings.Repeat("0", 64)
	for line, flag := range map[string]string{
		"apply -expect=sha256:zz":                                          "-expect",
		"apply -expect=sha256:zz absent.plan":                              "-expect",
		"apply -expect=" + digest[:70]:                                     "-expect",
		"apply -expect=" + strings.ToUpper(digest):                         "-expect",
		"apply -expect=certificates.c=" + digest + "0":                     "-expect",
		"apply -expect=certificates.c=sha256:zz":                           "-expect",
		"apply -expect=latest":                                             "-expect",
		"apply -override=window":                                           "-override",
		"apply -override=no_such_rule=because":                             "-override",
		"apply -target=nonsense absent.plan":                               "-target",
		"plan -target=nonsense":                                            "-target",
		"plan -target=a.b@":                                                "-target",
		"plan -exclude=..":                                                 "-exclude",
		"plan -exclude=@cp1":                                               "-exclude",
		"plan -replace=x":                                                  "-replace",
		"drift -target=x":                                                  "-target",
		"rehearse -exclude=x":                                              "-exclude",
		"rehearse -fault=x":                                                "-fault",
		"rehearse -fault=a=explodes":                                       "-fault",
		"plan -parallelism=0":                                              "-parallelism",
		"plan -parallelism=-3":                                             "-parallelism",
		"plan -parallelism=1000000":                                        "-parallelism",
		"observe -parallelism=many":                                        "-parallelism",
		"plan -facts=absent.json -facts-max-age=yesterday":                 "-facts-max-age",
		"apply -lock-timeout=soon":                                         "-lock-timeout",
		"apply -plan-max-age=-1h absent.plan":                              "-plan-max-age",
		"plan -facts=absent.json -allow-env=A=B":                           "-allow-env",
		"plan -var=x":                                                      "-var",
		"plan -var==x":                                                     "-var",
		"node out cp1 -reason=a -owner=b -until=2027-02-30":                "-until",
		"node out cp1 -reason=a -owner=b -until=tomorrow":                  "-until",
		"window list -at=2026-12-24":                                       "-at",
		"window list -next=0":                                              "-next",
		"window list -next=1000000":                                        "-next",
		"backup verify -level=best latest":                                 "-level",
		"backup verify -level=best -all":                                   "-level",
		"backup verify -public-key=ed25519:zz latest":                      "-public-key",
		"backup show -public-key=x latest":                                 "-public-key",
		"backup restore -to=out -public-key=x latest":                      "-public-key",
		"backup restore -to=out -member=cp1 latest":                        "-member",
		"backup restore -to=out -member=../x=https://10.0.0.1:2380 latest": "-member",
		"backup restore -to=out -member=cp1=10.0.0.1 latest":               "-member",
		"backup restore -to=out -member=cp1=file:///etc latest":            "-member",
		"backup restore -to=out -accept=because latest":                    "-accept",
		"backup restore -to=out -bump-revision=-1 latest":                  "-bump-revision",
		"status -run=../../etc/passwd":                                     "-run",
		"doctor -port=65536 10.0.0.1":                                      "-port",
		"doctor -user=-oProxyCommand=x 10.0.0.1":                           "-user",
		"doctor -proxy-jump=a,,b 10.0.0.1":                                 "-proxy-jump",
		"doctor -renew-before=soon 10.0.0.1":                               "-renew-before",
		"access -print -user=a:b":                                          "-user",
		"price explain -order=absent.json -akt-price=zz":                   "-akt-price",
		"price explain -order=absent.json -akt-price=0":                    "-akt-price",
		"price explain -order=absent.json -script-version=x":               "-script-version",
		"price replay absent -against-version=x":                           "-against-version",
		"price migrate -gpu=A_100":                                         "-gpu",
		"price migrate -to=x":                                              "-to",
		"price migrate -target=x":                                          "-target",
		"forecast -for=ever":                                               "-for",
		"approve -revoke=../x":                                             "-revoke",
		"approve -until=soon absent.plan":                                  "-until",
		"approve -expect=sha256:zz":                                        "-expect",
	} {
		t.Run(line, func(t *testing.T) {
			code, stdout, stderr := p.upkeep(line)
			if code != exitError || !strings.Contains(stderr, flag) || stdout != "" {
				t.Errorf("exit %d:\n%s%s", code, stdout, stderr)
			}
			for _, other := range []string{"No configuration files", "nothing is declared", "no such file", "there is no plan file"} {
				if strings.Contains(stderr, other) {
					t.Errorf("it says %q first:\n%s", other, stderr)
				}
			}
			if entries, err := os.ReadDir(p.directory); err != nil || len(entries) > 0 {
				t.Errorf("it left %v, %v", entries, err)
			}
		})
	}
}

// free are the flags whose values nobody can judge by their text: paths, and names of what is elsewhere. A path is judged where it
// is read.
var free = strings.Fields(`against chdir context facts identity kubeconfig known-hosts order out script serial ssh-config targets whitelist`)

// TestEveryFlagIsJudged: a new flag with a text is either in flagValues, or free.
func TestEveryFlagIsJudged(t *testing.T) {
	var walk func(cmd *cli.Command)
	walk = func(cmd *cli.Command) {
		for _, flag := range cmd.Flags {
			name, usage := flag.Names()[0], ""
			switch flag := flag.(type) {
			case *cli.StringFlag:
				usage = flag.Usage
			case *cli.StringSliceFlag:
				usage = flag.Usage
			default:
				continue
			}
			if what, _ := placeholder(usage); what == "DURATION" || flagValues[name] != nil || slices.Contains(free, name) {
				continue
			}
			t.Errorf("upkeep %s -%s: its value is judged where it is used; judge it in flagValues, or say that it is free", cmd.Name, name)
		}
		for _, sub := range cmd.Commands {
			walk(sub)
		}
	}
	walk(app(environment{}))
}
