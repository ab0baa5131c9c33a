node "n" {
  host = "h"
}
out "m" {
  reason = "RMA 1234"
  owner  = "ops"
  until  = "2027-01-31"
}
out "n" {
  reason = " "
  owner  = "ops"
  until  = "31.01.2027"
}
out "n" {
  reason = "again"
  owner  = "ops"
  until  = "2027-02-28"
}
