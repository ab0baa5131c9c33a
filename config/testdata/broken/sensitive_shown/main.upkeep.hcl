variable "token" {
  type      = string
  default   = "s3cr3t"
  sensitive = true
}

node "cp" {
  host = "x-${var.token}"
}

certs "x" {
  nodes        = node.cp
  renew_before = var.token
}
