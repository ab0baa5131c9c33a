package acceptance

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A provider with its operators, as the guide leaves them behind, that is to go over many versions of its chart.
const (
	hostnameOperator  = "akash-hostname-operator"
	inventoryOperator = "inventory-operator"

	gatewayNamespace = "akash-gateway"
	fabricNamespace  = "nginx-gateway"

	// What a tenant's lease is to the provider: a Manifest.
	keptManifest = tenantNamespace
)

// akashKinds are the definitions of the files in testdata/crds; gatewayKinds those of the Gateway API, with a version that
// the chart uses.
var (
	akashKinds   = []string{"manifests.akash.network", "providerhosts.akash.network", "providerleasedips.akash.network"}
	gatewayKinds = []struct{ kind, plural, scope, version string }{
		{"GatewayClass", "gatewayclasses", "Cluster", "v1"}, {"Gateway", "gateways", "Namespaced", "v1"},
		{"HTTPRoute", "httproutes", "Namespaced", "v1"}, {"TCPRoute", "tcproutes", "Namespaced", "v1alpha2"},
	}
	gatewaySecrets = []string{"wildcard-ingress-tls", "akash-default-tls"}
)

const gatewayGroup = "gateway.networking.k8s.io"

// stage is one step of the provider: its chart, that of the operators, the program that both bring, and a price.
type stage struct {
	chart, operators, program string
	cpu                       float64
}

var (
	guideStage   = stage{chart: "6.0.5", operators: "6.0.5", program: "0.4.6"}
	claimStage   = stage{"14.1.0", "14.1.0", "0.10.7", 1.60}
	actStage     = stage{"15.1.0", "15.1.0", "0.11.2", 1.65}
	gatewayStage = stage{"16.0.0", "16.0.1", "0.12.0", 1.70}
)

// The versions of what the gateway's charts bring.
const (
	gatewayVersion = "1.2.1"
	fabricVersion  = "2.6.7"
)

// stagedPrograms are the versions of all programs in this part: each is an image in the lab.
var stagedPrograms = []string{guideStage.program, claimStage.program, actStage.program, gatewayStage.program, gatewayVersion, fabricVersion}

// testStagedUpgrade takes a provider from chart 6.0.5 over 12.0.0 to 14.x, to 15.x and from there over 16.0.0: definitions
// first, then the operators, then the provider, each proved before the next. What is missing for a step refuses it, what
// fails in it goes back, and what is killed in it is finished by the next run.
func testStagedUpgrade(t *testing.T, s *suite) {
	s.cleanStaged(t)
	repository := s.serveCharts(t)
	definitions := s.serveDefinitions(t)
	s.provider(t, repository)
	s.operators(t, repository)
	s.oldDefinitions(t)
	s.volume(t)
	d := stagedDirectory{providerDirectory{s.directory(t), repository}, definitions}
	was, running := s.keptManifest(t), s.podUID(t)

	t.Run("definitions of another digest", func(t *testing.T) {
		d.declare(t, claimStage, digestOf(definitionsOf(t, gatewayStage.program)))
		p, r := d.plan(t)
		if !p.has("CRD_UNKNOWN") || len(p.Upkeep.Steps) > 0 {
			t.Errorf("steps %q, findings %+v", p.operations(), p.Upkeep.Findings)
		}
		if found := digestOf(definitionsOf(t, claimStage.program)); !strings.Contains(r.stdout, found) {
			t.Errorf("the plan does not print the digest that was found, %s:\n%s", found, r.stdout)
		}
	})
	t.Run("an operator that does not start", func(t *testing.T) {
		// The image of the new program is nowhere yet.
		d.declare(t, claimStage, "")
		d.wantSteps(t, slices.Concat([]string{"akash.crds"}, operatorSteps, operatorSteps, []string{"akash.archive", "akash.replace", "akash.upgrade"}))
		failed := d.run(t, "apply", "-auto-approve").want(t, 3)
		if text := failed.stdout + failed.stderr; !strings.Contains(text, hostnameOperator+" was rolled back to revision 1") {
			t.Errorf("it does not say that the operator went back:\n%s", text)
		} else if !strings.Contains(text, "; pod "+hostnameOperator) {
			t.Errorf("it does not say why the operator's pod does not start:\n%s", text)
		}
		s.operatorRuns(t, hostnameOperator, guideStage.operators, map[string]string{"VERSION": guideStage.program, "LOG_LEVEL": "debug"})
		if s.podUID(t) != running || s.newestRevision(t).Version != 1 {
			t.Error("the provider was touched although its operator failed")
		}
		s.definedAs(t, definitionsOf(t, claimStage.program)) // they serve the old versions, and stay
	})
	s.images(t, claimStage.program)
	t.Run("over 12.0.0", func(t *testing.T) {
		d.wantSteps(t, slices.Concat(operatorSteps, operatorSteps, []string{"akash.archive", "akash.replace", "akash.upgrade"}))
		d.run(t, "apply", "-auto-approve").want(t, 0)
		s.arrived(t, claimStage)
		if claims := s.kubectl(t, "get", "statefulset", providerRelease, "-o", "jsonpath={.spec.volumeClaimTemplates[*].metadata.name}"); claims != "home" {
			t.Errorf("the StatefulSet has the volume claims %q", claims)
		}
		d.settled(t)
	})
	s.images(t, actStage.program)
	t.Run("an operator's upgrade killed", func(t *testing.T) {
		d.declare(t, actStage, "")
		d.killedAt(t, "objects are ready", "apply", "-auto-approve")
		if r := s.newestOf(t, hostnameOperator); r.Info.Status != "pending-upgrade" {
			t.Fatalf("%s is %s after the kill, so this proves nothing", hostnameOperator, r.Info.Status)
		}
		if p := d.wantSteps(t, slices.Concat([]string{"akash.repair"}, operatorSteps, operatorSteps, []string{"akash.archive", "akash.upgrade"})); !p.has("RELEASE_PENDING") {
			t.Errorf("findings %+v", p.Upkeep.Findings)
		}
		d.run(t, "apply", "-auto-approve").want(t, 0)
		s.arrived(t, actStage)
		d.settled(t)
	})
	s.images(t, gatewayStage.program, gatewayVersion, fabricVersion)
	t.Run("over 16.0.0 without its prerequisites", func(t *testing.T) {
		d.declare(t, gatewayStage, "")
		missing := append([]string{"nginx-gateway-fabric", "akash-gateway"}, gatewaySecrets...)
		for _, kind := range gatewayKinds {
			missing = append(missing, kind.plural+"."+gatewayGroup)
		}
		d.wantGates(t, missing...)
		if r := d.run(t, "apply", "-auto-approve").want(t, 1); !strings.Contains(r.stderr, "what is due must wait") {
			t.Errorf("apply does not say that it could do nothing:\n%s", r.stderr)
		}
		s.arrived(t, actStage)
	})
	s.gateway(t, repository)
	t.Run("over 16.0.0 while its ports are taken", func(t *testing.T) {
		const unit = "upkeep-listener.service"
		s.ssh(t, "n2", "systemctl is-active -q "+unit+" || systemd-run --collect --unit="+unit+" socat TCP-LISTEN:443,reuseaddr,fork /dev/null")
		s.undo(t, "n2", "systemctl stop "+unit)
		s.apply(t, `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "old-ingress", "namespace": "`+providerNamespace+`"}, "spec": {"nodeName": "n2", "terminationGracePeriodSeconds": 1,
"tolerations": [{"operator": "Exists"}], "containers": [{"name": "web", "image": "`+providerImage+`", "command": ["env", "wait"], "ports": [{"containerPort": 80, "hostPort": 80}]}]}}`)
		defer s.kubectl(t, "delete", "pod", "old-ingress")
		s.kubectl(t, "wait", "--for=condition=Ready", "--timeout=1m", "pod/old-ingress")
		r := d.wantGates(t, "n2", providerNamespace+"/old-ingress")
		for _, words := range []string{"listens on port 443 of node n2", "holds port 80 of node n2"} {
			if !strings.Contains(r.stdout, words) {
				t.Errorf("the plan does not say %q:\n%s", words, r.stdout)
			}
		}
	})
	t.Run("over 16.0.0", func(t *testing.T) {
		d.wantSteps(t, slices.Concat([]string{"akash.crds"}, operatorSteps, operatorSteps, []string{"akash.archive", "akash.upgrade"}))
		d.run(t, "apply", "-auto-approve").want(t, 0)
		s.arrived(t, gatewayStage)
		s.kubectl(t, "get", "httproute", providerRelease+"-letsencrypt-challenge")
		d.settled(t)
	})
	if diff := cmp.Diff(was, s.keptManifest(t)); diff != "" {
		t.Errorf("the stored Manifest (-before +after):\n%s", diff)
	}
	d.withoutSecrets(t)
}

// operatorSteps bring one operator to its version.
var operatorSteps = []string{"akash.archive", "akash.operator"}

// wantSteps wants a plan of these operations.
func (d stagedDirectory) wantSteps(t *testing.T, want []string) plan {
	t.Helper()
	p, r := d.plan(t)
	if !slices.Equal(p.operations(), want) {
		t.Fatalf("steps %q, want %q\n%s", p.operations(), want, r.stdout)
	}
	return p
}

// wantGates wants a plan that does nothing, since these objects are in the way, or are not there; and no others.
func (d stagedDirectory) wantGates(t *testing.T, want ...string) result {
	t.Helper()
	p, r := d.plan(t)
	if len(p.Upkeep.Steps) > 0 {
		t.Errorf("steps %q", p.operations())
	}
	var named []string
	for _, f := range p.Upkeep.Findings {
		if f.ID == "CHART_GATE" && f.Object != gatewayStage.chart { // the chart itself says what it uses
			named = append(named, f.Object)
		}
		if f.ID == "CHART_GATE" && f.Unknown {
			t.Errorf("it is not known: %+v", f)
		}
	}
	slices.Sort(named)
	slices.Sort(want)
	if diff := cmp.Diff(want, named); diff != "" {
		t.Errorf("what is in the way (-want +got):\n%s\n%s", diff, r.stdout)
	}
	return r
}

// stagedDirectory is a configuration directory with one akash_provider whose definitions are behind a URL.
type stagedDirectory struct {
	providerDirectory
	definitions string
}

// declare wants a step's version of the chart, with the definitions of its program's tag. digest is what the block pins them
// to; empty: what they have.
func (d stagedDirectory) declare(t *testing.T, to stage, digest string) {
	t.Helper()
	if digest == "" {
		digest = digestOf(definitionsOf(t, to.program))
	}
	var hosts []string
	for _, n := range d.s.lab.Nodes {
		hosts = append(hosts, fmt.Sprintf("%s = %q", n.Name, n.IP))
	}
	text := fmt.Sprintf(`cluster {
  kubeconfig = %q
}

connection "lab" {
  user        = "root"
  known_hosts = %q
  identity    = %q
}

node "cp" {
  for_each   = { %s }
  host       = each.value
  roles      = ["control-plane", "etcd"]
  connection = connection.lab
}

variable "token" {
  type      = string
  sensitive = true
  default   = %q
}

akash_provider "main" {
  window = "always"
  without    = { backup = "stages are what is tested here" }
  chart {
    repository = %q
    version    = %q
  }
  crds {
    tag    = "v%s"
    url    = "%s/v%s.yaml"
    sha256 = %q
  }
  bid_script {
    file               = "price_script.sh"
    replace_customised = true
  }
  values = { letsEncrypt = { providers = { cloudflare = { apiToken = var.token } } } }
  price_targets {
    cpu    = %g
    memory = 0.80
    gpu    = { a100 = 120, h100 = 250.5, t4 = 80 }
    max_change = "400%%"
  }
}
`, d.s.kubeconfig, d.s.lab.KnownHosts(), d.s.lab.Identity(), strings.Join(hosts, ", "), providerToken, d.repository, to.chart, to.program, d.definitions, to.program, digest, to.cpu)
	if err := os.WriteFile(filepath.Join(d.path, "provider.upkeep.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// definitionsOf are the definitions of a program's tag.
func definitionsOf(t *testing.T, program string) []byte {
	t.Helper()
	return readFile(t, filepath.Join("testdata", "crds", "v"+program+".yaml"))
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// arrived wants that everything has the version of one step: the definitions, the operators with the values that they had,
// and the provider, whose running pod prints its price.
func (s *suite) arrived(t *testing.T, is stage) {
	t.Helper()
	s.definedAs(t, definitionsOf(t, is.program))
	s.operatorRuns(t, hostnameOperator, is.operators, map[string]string{"VERSION": is.program, "LOG_LEVEL": "debug"})
	s.operatorRuns(t, inventoryOperator, is.operators, map[string]string{"VERSION": is.program, "CLUSTER_STORAGE": "default,beta3"})
	s.deployed(t, providerRelease, is.chart)
	s.prices(t, map[string]string{"PRICE_TARGET_CPU": fmt.Sprint(is.cpu), "PRICE_TARGET_MEMORY": "0.8", "PRICE_TARGET_GPU_MAPPINGS": "a100=120,h100=250.5,t4=80"})
}

// cleanStaged takes away what this part puts into the lab, now and when the part ends.
func (s *suite) cleanStaged(t *testing.T) {
	t.Helper()
	crds := append([]string{"delete", "crd", "--ignore-not-found"}, akashKinds...)
	for _, kind := range gatewayKinds {
		crds = append(crds, kind.plural+"."+gatewayGroup)
	}
	remove := func(ctx context.Context) error {
		for _, args := range [][]string{
			{"delete", "namespace", "--ignore-not-found", providerNamespace, leaseNamespace, gatewayNamespace, fabricNamespace},
			crds, {"delete", "pv", "--ignore-not-found", "akash-home"},
		} {
			if _, err := s.kubectlIn(ctx, "", args...); err != nil {
				return err
			}
		}
		var names []string
		for _, program := range stagedPrograms {
			names = append(names, imageOf(program))
		}
		for _, n := range s.lab.Nodes {
			if _, err := s.lab.SSH(ctx, n.Name, "ctr -n k8s.io images rm --sync "+strings.Join(names, " ")); err != nil {
				return err
			}
		}
		return nil
	}
	if err := remove(s.ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if err := remove(ctx); err != nil {
			t.Error("cleaning up:", err)
		}
	})
}

// imageOf is the image of a program's version, as the charts of operators name it.
func imageOf(program string) string {
	name, _, _ := strings.Cut(providerImage, ":")
	return name + ":" + program
}

// images gives the nodes the images of some versions of programs. They are the provider's image under other names.
func (s *suite) images(t *testing.T, programs ...string) {
	t.Helper()
	var names []string
	for _, program := range programs {
		names = append(names, imageOf(program))
	}
	for _, n := range s.lab.Nodes {
		s.ssh(t, n.Name, "ctr -n k8s.io images tag "+providerImage+" "+strings.Join(names, " "))
	}
}

// serveDefinitions serves the files in testdata/crds by https, as upkeep wants them, until the part ends; upkeep trusts the
// server's certificate meanwhile. It returns the server's URL.
func (s *suite) serveDefinitions(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(http.FileServer(http.Dir(filepath.Join("testdata", "crds"))))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "authority.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", file)
	return server.URL
}

// install installs a chart of the repository and waits for its pods.
func (s *suite) install(t *testing.T, repository, chart, version, namespace, release string, tree map[string]any) {
	t.Helper()
	name, _, _ := strings.Cut(providerImage, ":")
	tree["image"] = map[string]any{"repository": name}
	tree["command"] = []string{"env", "wait"}
	tree["tolerations"] = []any{map[string]any{"operator": "Exists"}}
	values, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), release+".yaml")
	if err := os.WriteFile(file, values, 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(t, s.buildMain(t, "fixtures/chartrepo/install"), "-kubeconfig", s.kubeconfig, "-repository", repository,
		"-chart", chart, "-version", version, "-namespace", namespace, "-release", release, "-values", file)
}

// operators installs the operators of the guide's version.
func (s *suite) operators(t *testing.T, repository string) {
	t.Helper()
	s.images(t, guideStage.program)
	// With a pod that may be unavailable Helm does not wait for it, and calls an upgrade good that is none.
	s.install(t, repository, "akash-hostname-operator", guideStage.operators, providerNamespace, hostnameOperator, map[string]any{
		"env":      map[string]any{"LOG_LEVEL": "debug"},
		"strategy": map[string]any{"rollingUpdate": map[string]any{"maxUnavailable": 1}},
	})
	s.install(t, repository, "akash-inventory-operator", guideStage.operators, providerNamespace, inventoryOperator, map[string]any{
		"env": map[string]any{"CLUSTER_STORAGE": "default,beta3"},
	})
}

// operatorRuns wants that Helm's record of an operator has a version of the chart, and that its pod prints these variables.
func (s *suite) operatorRuns(t *testing.T, release, chart string, want map[string]string) {
	t.Helper()
	s.until(t, time.Minute, "the environment of "+release, func(ctx context.Context) error {
		pod, err := s.kubectlIn(ctx, providerNamespace, "get", "pod", "-l", "app="+release, "--field-selector", "status.phase=Running", "-o", "jsonpath={.items[*].metadata.name}")
		if err != nil || len(strings.Fields(pod)) != 1 {
			return fmt.Errorf("pods %q: %w", pod, err)
		}
		printed, err := s.kubectlIn(ctx, providerNamespace, "exec", pod, "--", "env")
		if err != nil {
			return err
		}
		for name, value := range want {
			if !strings.Contains("\n"+printed, "\n"+name+"="+value+"\n") {
				return fmt.Errorf("%s is not %q:\n%s", name, value, printed)
			}
		}
		return nil
	})
	s.deployed(t, release, chart)
}

// deployed wants that the newest revision in Helm's record of a release is deployed, with a version of its chart.
func (s *suite) deployed(t *testing.T, release, chart string) {
	t.Helper()
	newest := s.newestOf(t, release)
	if is := newest.Chart.Metadata.Version; newest.Info.Status != "deployed" || is != chart {
		t.Errorf("revision %d of %s is %s with chart %s, want %s", newest.Version, release, newest.Info.Status, is, chart)
	}
}

// oldDefinitions puts the definitions of the guide's time into the cluster, as a person would, with a Manifest of theirs.
func (s *suite) oldDefinitions(t *testing.T) {
	t.Helper()
	s.apply(t, string(definitionsOf(t, guideStage.program)))
	if _, err := s.kubectlIn(s.ctx, "", append([]string{"wait", "--for=condition=Established", "--timeout=60s", "crd"}, akashKinds...)...); err != nil {
		t.Fatal(err)
	}
	s.apply(t, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "`+leaseNamespace+`"}}`)
	s.apply(t, `{"apiVersion": "akash.network/v2beta2", "kind": "Manifest", "metadata": {"name": "`+keptManifest+`", "namespace": "`+leaseNamespace+`", "labels": {`+leaseLabels+`}},
"spec": {"lease_id": {"owner": "akash1h24fljt7p0nh82cq0za0uhsct3sfwsfu9w3c9h", "dseq": "8438017", "gseq": 1, "oseq": 1, "provider": "akash1nxq8gmsw2vlz3m68qvyvcf3kh6q269ajvqw6y0"},
"group": {"name": "westcoast", "services": [{"name": "web", "image": "nginx:1.25", "count": 1, "args": ["-g", "daemon off;"]}]}}}`)
}

// apply applies a text with kubectl.
func (s *suite) apply(t *testing.T, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "objects.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.kubectlIn(s.ctx, "", "apply", "-f", file); err != nil {
		t.Fatal(err)
	}
}

// manifestObject is a stored Manifest: who it is, and what is in it.
type manifestObject struct {
	Metadata struct {
		UID, ResourceVersion string
		Labels               map[string]string
	}
	Spec map[string]any
}

// keptManifest is the Manifest of oldDefinitions as the API server has it.
func (s *suite) keptManifest(t *testing.T) manifestObject {
	t.Helper()
	text, err := s.kubectlIn(s.ctx, leaseNamespace, "get", "manifests.akash.network", keptManifest, "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var object manifestObject
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// definedAs wants that the cluster's definitions are those of a text and that upkeep manages them, by kubectl's own look.
func (s *suite) definedAs(t *testing.T, text []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "wanted.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.kubectlIn(s.ctx, "", "diff", "--server-side", "--force-conflicts", "--field-manager=upkeep", "-f", file); err != nil {
		t.Errorf("the definitions are not as in the file: %v", err)
	}
	for _, name := range akashKinds {
		managers, err := s.kubectlIn(s.ctx, "", "get", "crd", name, "--show-managed-fields", "-o",
			`jsonpath={range .metadata.managedFields[?(@.operation=="Apply")]}{.manager} {.fieldsV1.f:spec.f:versions}{"\n"}{end}`)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(managers, "upkeep {") {
			t.Errorf("the versions of %s are managed by %q", name, managers)
		}
	}
}

// gateway puts into the cluster what chart 16.0.0 needs there: the kinds of the Gateway API, NGINX Gateway Fabric, the
// gateway and its certificates.
func (s *suite) gateway(t *testing.T, repository string) {
	t.Helper()
	for _, kind := range gatewayKinds {
		s.apply(t, fmt.Sprintf(`{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
"metadata": {"name": "%s.%s", "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in for tests"}},
"spec": {"group": %q, "scope": %q, "names": {"kind": %q, "plural": %q, "singular": %q},
"versions": [{"name": %q, "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}}`,
			kind.plural, gatewayGroup, gatewayGroup, kind.scope, kind.kind, kind.plural, strings.ToLower(kind.kind), kind.version))
	}
	for _, kind := range gatewayKinds {
		if _, err := s.kubectlIn(s.ctx, "", "wait", "--for=condition=Established", "--timeout=60s", "crd", kind.plural+"."+gatewayGroup); err != nil {
			t.Fatal(err)
		}
	}
	s.install(t, repository, "nginx-gateway-fabric", fabricVersion, fabricNamespace, "ngf", map[string]any{})
	s.install(t, repository, "akash-gateway", gatewayVersion, gatewayNamespace, "akash-gateway", map[string]any{})
	certificate, key := listenerCertificate(t)
	for _, name := range gatewaySecrets {
		if _, err := s.kubectlIn(s.ctx, gatewayNamespace, "create", "secret", "tls", name, "--cert="+certificate, "--key="+key); err != nil {
			t.Fatal(err)
		}
	}
}

// listenerCertificate writes a certificate for the gateway's listeners, and its key.
func listenerCertificate(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "*.ingress.example.net"}, DNSNames: []string{"*.ingress.example.net"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: signed}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}
