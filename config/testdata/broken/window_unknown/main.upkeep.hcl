node "n" {
  host = "h"
}
certs "x" {
  nodes  = node.n
  window = "weekly"
}
defaults {
  window = "nightly"
}
