node "cp" {
  host = "a"
}

maintenance_window "weekly" {
  cron   = "0 2 * * SUN"
  window = "always"
}

maintenance_window "nights" {
  for_each = toset(["eu", "us"])
  cron     = "0 2 * * SUN"
}

certs "as_text" {
  nodes  = node.cp
  window = "weekly"
}

certs "no_window" {
  nodes  = node.cp
  window = certs.as_text
}

certs "unknown" {
  nodes  = node.cp
  window = maintenance_window.weakly
}

certs "without_key" {
  nodes  = node.cp
  window = maintenance_window.nights
}

certs "twice" {
  nodes  = node.cp
  window = [maintenance_window.weekly, maintenance_window.weekly]
}

certs "always_and_more" {
  nodes  = node.cp
  window = ["always", maintenance_window.weekly]
}

certs "none" {
  nodes  = node.cp
  window = []
}

certs "number" {
  nodes  = node.cp
  window = 5
}
