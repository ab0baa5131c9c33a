node "a" {
  host = "-oProxyCommand=x"
}

node "b" {
  host = "ops@10.0.0.1"
}

node "c" {
  for_each = toset(["a b"])
  host     = "x"
  roles    = ["con trol"]
}
