node "n" {
  host = "h"
}
certs "x" {
  nodes   = node.n
  without = { backup = " ", leases = "no tenants" }
}
