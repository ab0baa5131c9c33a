variable "zone" {
  type = string
}

node "cp" {
  host = "${var.zone}.example.net"
}
