connection "a" {
  user       = "-l root"
  proxy_jump = "ops@a,-b"
}

connection "b" {
  transport = "local"
  user      = "ops"
}
