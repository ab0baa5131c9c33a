node "n" {
  host = "h"
}
certs "x" {
  nodes   = node.n
  without = { backups = "the lab has none" }
}
