package acceptance

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// known is what both upkeep and kubeadm say of a certificate.
type known struct {
	Expires   time.Time
	Authority string
	Missing   bool
}

// Every certificate and authority that `kubeadm certs check-expiration` knows, on every node, has the same end, authority and absence in
// `upkeep status`; but for super-admin.conf, which only one node need have.
func testParity(t *testing.T, s *suite) {
	d := s.declare(t, declaration{renewBefore: time.Hour})
	ours := map[string]map[string]known{}
	for _, object := range d.status(t) {
		if ours[object.Node] == nil {
			ours[object.Node] = map[string]known{}
		}
		k := known{object.Expires, object.Authority, object.Status == "missing"}
		if k.Missing {
			k.Authority = "" // kubeadm does not say which authority would have signed it
		}
		ours[object.Node][object.Name] = k
	}
	for _, n := range s.lab.Nodes {
		t.Run(n.Name, func(t *testing.T) {
			all := s.expiration(t, n.Name)
			want, got := map[string]known{}, map[string]known{}
			for _, c := range slices.Concat(all.Certificates, all.Authorities) {
				k, listed := ours[n.Name][c.Name]
				if c.Missing && c.Name == "super-admin.conf" && !listed {
					// kubeadm makes it on the first control plane alone; status lists what should be there.
					continue
				}
				want[c.Name] = known{c.Expires, c.Authority, c.Missing}
				if listed {
					got[c.Name] = k
				}
			}
			if known := len(all.Certificates) + len(all.Authorities); known != 14 {
				t.Errorf("kubeadm knows %d certificates and authorities on %s, expected 11 and 3", known, n.Name)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-kubeadm +upkeep):\n%s", diff)
			}
		})
	}
}

// A file that is cut off is one finding about that file, and everything else is reported as before.
func testBadFile(t *testing.T, s *suite) {
	const node, path = "n2", "/etc/kubernetes/pki/front-proxy-client.crt"
	d := s.declare(t, declaration{renewBefore: time.Hour})
	d.empty(t)
	before := d.status(t)
	s.ssh(t, node, "cp -p "+path+" /root/kept.crt && head -c 200 /root/kept.crt > "+path)
	// By rename, so that whatever happens the file is whole again at once.
	s.undo(t, node, "if [ -e /root/kept.crt ]; then mv /root/kept.crt "+path+"; fi")
	p, _ := d.plan(t)
	var about []string
	for _, f := range p.Upkeep.Findings {
		about = append(about, f.ID+" "+f.Address+" "+f.Object)
	}
	if want := []string{"CERT_UNREADABLE certificates.control_plane@" + node + " front-proxy-client"}; !slices.Equal(about, want) {
		t.Errorf("findings %q, want %q", about, want)
	}
	if text := d.run(t, "plan"); strings.Contains(text.stdout, "No changes") || !strings.Contains(text.stdout, "front-proxy-client") {
		t.Errorf("the plan says no changes, or does not name the file:\n%s", text.stdout)
	}
	others := func(all []watched) []watched {
		return slices.DeleteFunc(slices.Clone(all), func(w watched) bool { return w.Node == node && w.Path == path })
	}
	if diff := cmp.Diff(others(before), others(d.status(t))); diff != "" {
		t.Errorf("other certificates (-before +with the bad file):\n%s", diff)
	}
	s.ssh(t, node, "mv /root/kept.crt "+path)
	d.empty(t)
}

// Somebody renewed a kubeconfig by hand, as the wiki page says, and restarted nothing: the component still runs with the old certificate.
// upkeep sees it, restarts that component and no other, and proves it.
func testRenewedByHand(t *testing.T, s *suite) {
	const node, component = "n1", "kube-controller-manager"
	d := s.declare(t, declaration{renewBefore: time.Hour})
	d.empty(t)
	s.ssh(t, node, "kubeadm certs renew controller-manager.conf >/dev/null 2>&1")
	before := s.containers(t, node)
	p, r := d.plan(t)
	r.want(t, 2)
	if len(p.Upkeep.Findings) != 1 || p.Upkeep.Findings[0].ID != "CERT_SERVED_DIFFERS" || !strings.Contains(p.Upkeep.Findings[0].Object, component) {
		t.Errorf("findings %+v, want CERT_SERVED_DIFFERS about %s alone", p.Upkeep.Findings, component)
	}
	if len(p.Upkeep.Steps) != 1 || p.Upkeep.Steps[0].Node != node || p.Upkeep.Steps[0].Operation != "certificates.restart" {
		t.Errorf("steps %+v, want one restart on %s", p.Upkeep.Steps, node)
	}
	d.run(t, "apply", "-auto-approve").want(t, 0)
	s.onlyRestarted(t, node, before, component)
	d.empty(t)
}
