// What a Go program gets from Go's own resolver (the one without cgo). Same output as getaddrinfo.c; with a second argument SRV
// it prints "SRV priority weight port target" lines instead.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
)

func printError(label string, err error) {
	var problem *net.DNSError
	switch {
	case errors.As(err, &problem) && problem.IsNotFound:
		fmt.Println(label, "none")
	case errors.As(err, &problem) && problem.IsTemporary:
		fmt.Println(label, "again")
	default:
		fmt.Println(label, "failed", err)
	}
}

func main() {
	resolver := &net.Resolver{PreferGo: true}
	name := os.Args[1]
	if len(os.Args) > 2 && os.Args[2] == "SRV" {
		_, records, err := resolver.LookupSRV(context.Background(), "", "", name)
		if err != nil {
			printError("SRV", err)
		}
		for _, record := range records {
			fmt.Println("SRV", record.Priority, record.Weight, record.Port, record.Target)
		}
		return
	}
	for _, family := range []struct{ label, network string }{{"A", "ip4"}, {"AAAA", "ip6"}} {
		addresses, err := resolver.LookupNetIP(context.Background(), family.network, name)
		if err != nil {
			printError(family.label, err)
		}
		for _, address := range addresses {
			fmt.Println(family.label, address.Unmap())
		}
	}
}
