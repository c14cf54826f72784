//go:build tools

// Package kuberay pins the operator that runs Ray in tests of a Ray cluster that the chart doesn't bring; go.sum holds the hashes.
package kuberay

import _ "github.com/ray-project/kuberay/ray-operator"
