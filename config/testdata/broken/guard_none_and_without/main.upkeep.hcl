node "n" {
  host = "h"
}
certs "x" {
  nodes      = node.n
  guard_none = "the lab has none"
  without    = { backup = "the lab has none" }
}
certs "y" {
  nodes      = node.n
  guard_none = ""
}
