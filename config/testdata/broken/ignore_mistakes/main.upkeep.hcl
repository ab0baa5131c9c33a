node "n" {
  host = "h"
}
ignore "soon" {
  finding = "CERT_EXPIRES_SON"
  nodes   = ["nn", "other"]
  reason  = "known"
  owner   = "dc"
  until   = "2027-01-31"
}
ignore "all" {
  finding = "CERT_EXPIRED"
  nodes   = []
  reason  = "known"
  owner   = ""
  until   = "2027-02-30"
}
