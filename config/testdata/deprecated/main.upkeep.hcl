variable "place" {
  default = "fra"
}

node "n" {
  host = "h"
}
certs "x" {
  nodes      = node.n
  guard_none = "backed up in ${var.place}"
}
