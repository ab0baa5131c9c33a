locals {
  port = { ssh = 22 }
}

connection "a" {
  port = local.port
}
