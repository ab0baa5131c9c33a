variable "kind" {
  type      = string
  default   = "s3cr3t"
  sensitive = true
}

node "cp" {
  host = "a"
}

certs "x" {
  nodes  = node.cp
  layout = sensitive("s3cr3t")
}
