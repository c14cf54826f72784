//go:build tools

// Package helm pins the helm that installs the chart in tests; go.sum holds the hashes.
package helm

import _ "helm.sh/helm/v3/cmd/helm"
