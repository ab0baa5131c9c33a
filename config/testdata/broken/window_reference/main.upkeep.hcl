node "cp" {
  host = "a"
}

maintenance_window "weekly" {
  cron = "0 2 * * SUN"
}

certs "x" {
  nodes  = node.cp
  window = maintenance_window.weekly
}

certs "y" {
  nodes  = node.cp
  window = "weekly"
}
