module nodelocaldns/tests/netgo

go 1.21
