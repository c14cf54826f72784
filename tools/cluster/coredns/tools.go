//go:build tools

// Package coredns pins the DNS server of tools/cluster; go.sum holds the hashes.
package coredns

import _ "github.com/coredns/coredns"
