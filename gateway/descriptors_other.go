//go:build !unix

package gateway

func defaultMaxConnections() int { return fallbackMaxConnections }
