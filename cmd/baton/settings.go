package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/batonmq/baton/node"
)

// settings are what serve can be told, by flag, environment or file. The flag
// set is the one list of names: the others set flags that were not given.
type settings struct {
	config      node.Config
	file        string
	logLevel    string
	logFormat   string
	debugListen string

	flags   *pflag.FlagSet
	sources map[string]string // of settings that came from elsewhere
}

func (s *settings) define(flags *pflag.FlagSet) {
	c := &s.config
	s.flags = flags
	flags.StringVar(&c.Name, "node", "", "the node's name, unique in the cluster (default made up once and kept with the data)")
	flags.StringVar(&c.DataDir, "data", node.DefaultDataDir, "directory of everything durable")
	flags.StringVar(&c.Listen, "listen", node.DefaultListen, "where clients and workers connect: WebSocket and HTTP")
	flags.StringVar(&c.PeerListen, "peer-listen", node.DefaultPeerListen, "where other nodes connect")
	flags.StringVar(&c.GossipListen, "gossip-listen", node.DefaultGossipListen, "where nodes find each other, TCP and UDP")
	flags.StringVar(&c.Advertise, "advertise", "", "host, or host:port for clients, that others reach this node by")
	flags.StringSliceVar(&c.Join, "join", nil, "gossip address of another node, repeatable; tried until one answers")
	flags.IntVar(&c.BootstrapExpect, "bootstrap-expect", 0, "how many nodes form a new cluster together (default 1 without --join)")
	flags.IntVar(&c.Partitions, "partitions", node.DefaultPartitions, "partitions of a new cluster, for good")
	flags.IntVar(&c.Replicas, "replicas", node.DefaultReplicas, "copies of each partition in a new cluster: 1, 3 or 5")
	flags.StringSliceVar(&c.AllowedOrigins, "allowed-origins", nil, "web origins, besides localhost, that may connect from a browser")
	flags.BoolVar(&c.Auth.Required, "auth-required", false, "ask every client for a token")
	flags.StringVar(&c.Auth.AdminKeyFile, "admin-key-file", "", "file with a token that may do everything, 32 characters or more: to make the first tokens")
	flags.StringVar(&c.Auth.JWKS, "auth-jwks", "", "file or https URL with the public keys of JWTs (RS256, ES256, EdDSA)")
	flags.StringVar(&c.Auth.HS256File, "auth-jwt-hs256-file", "", "file with the secret of JWTs signed with HS256")
	flags.StringVar(&c.Auth.Issuer, "auth-issuer", "", "the iss that a JWT must have (default any)")
	flags.StringVar(&c.Auth.Audience, "auth-audience", "", "the aud that a JWT must have (default any)")
	flags.BoolVar(&c.InsecureClients, "insecure-clients", false, "let everybody in who reaches an address other than loopback")
	flags.StringVar(&c.TLS.Cert, "tls-cert", "", "certificate for clients, PEM; read again when it changes")
	flags.StringVar(&c.TLS.Key, "tls-key", "", "its key")
	flags.StringVar(&c.TLS.ClientCA, "tls-client-ca", "", "certificates that sign those of workers, who need no token then")
	flags.StringVar((*string)(&c.Poller), "poller", string(node.PollerAuto), "how idle sockets without TLS are waited for: goroutine (each has one), epoll (Linux) or auto")
	flags.IntVar(&c.MaxInFlight, "max-in-flight", node.DefaultMaxInFlight, "requests a connection may have unanswered")
	flags.IntVar(&c.MaxUnfinished, "max-unfinished", 0, "unfinished work a client may have in a partition (default any)")
	flags.IntVar(&c.MaxMessageBytes, "max-message-bytes", node.DefaultMaxMessageBytes, "largest message of a client, 64 KiB to 8 MiB")
	defineLimits(flags, &c.Limits)
	flags.StringSliceVar(&c.TrustedProxies, "trusted-proxies", nil, "addresses (CIDR) of proxies whose PROXY v2 header or X-Forwarded-For is believed")
	flags.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&s.logFormat, "log-format", "text", "text or json")
	flags.StringVar(&s.debugListen, "debug-listen", "", "address for Go's pprof, loopback only (default none)")
	flags.StringVar(&s.file, "config", "", "YAML file with settings of the same names")
}

// environmentName is the variable of a setting.
func environmentName(setting string) string {
	return "BATON_" + strings.ToUpper(strings.ReplaceAll(setting, "-", "_"))
}

// resolve sets what no flag did from the environment, then from the file.
func (s *settings) resolve(flags *pflag.FlagSet) error {
	s.sources = make(map[string]string)
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		name := environmentName(f.Name)
		value := os.Getenv(name)
		if f.Changed || value == "" || err != nil || f.Name == "help" {
			return
		}
		err = s.set(f, name, func() error { return flags.Set(f.Name, value) })
	})
	if err != nil || s.file == "" {
		return err
	}
	return s.readFile(flags)
}

// set applies a value from elsewhere, and remembers where it came from.
func (s *settings) set(f *pflag.Flag, source string, apply func() error) error {
	if err := apply(); err != nil {
		return &node.ConfigError{
			Field: f.Name, Problem: fmt.Sprintf("%s: %v", source, err), Remedy: "give " + article(f.Value.Type()),
		}
	}
	s.sources[f.Name] = source
	return nil
}

func article(kind string) string {
	switch kind {
	case "int":
		return "a whole number"
	case "bool":
		return "true or false"
	case "stringSlice":
		return "a list of strings"
	default:
		return "a string"
	}
}

func (s *settings) readFile(flags *pflag.FlagSet) error {
	text, err := os.ReadFile(s.file)
	if err != nil {
		return &node.ConfigError{Field: "config", Problem: err.Error(), Remedy: "name a YAML file that can be read"}
	}
	var values map[string]yaml.Node
	if err := yaml.Unmarshal(text, &values); err != nil {
		return &node.ConfigError{
			Field: "config", Problem: fmt.Sprintf("%s: %v", s.file, err), Remedy: "write one \"name: value\" per line, as in \"listen: 127.0.0.1:7700\"",
		}
	}
	byLine := slices.SortedFunc(maps.Keys(values), func(a, b string) int { return cmp.Compare(values[a].Line, values[b].Line) })
	for _, name := range byLine {
		value := values[name]
		if err := s.setFromFile(flags, name, &value); err != nil {
			return err
		}
	}
	return nil
}

func (s *settings) setFromFile(flags *pflag.FlagSet, name string, value *yaml.Node) error {
	where := fmt.Sprintf("%s line %d", s.file, value.Line)
	f := flags.Lookup(name)
	if f == nil || name == "config" || name == "help" {
		return &node.ConfigError{Field: name, Problem: where + ": there is no such setting", Remedy: suggestion(flags, name)}
	}
	if f.Changed {
		return nil // by a flag or the environment
	}
	return s.set(f, where, func() error {
		switch list, ok := f.Value.(pflag.SliceValue); {
		case ok && value.Kind == yaml.SequenceNode:
			var items []string
			if err := value.Decode(&items); err != nil {
				return err
			}
			f.Changed = true
			return list.Replace(items)
		case value.Kind != yaml.ScalarNode:
			return errors.New("the value is neither text nor a number")
		default:
			return flags.Set(name, value.Value)
		}
	})
}

// suggestion names the setting that was probably meant.
func suggestion(flags *pflag.FlagSet, name string) string {
	best, all := nearest(flags, name)
	if best != "" {
		return "did you mean " + best + "?"
	}
	return "the settings are " + strings.Join(all, ", ")
}

// nearest is the setting that was probably meant, if any, and all there are.
func nearest(flags *pflag.FlagSet, name string) (best string, all []string) {
	least := 4
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name == "config" || f.Name == "help" {
			return
		}
		all = append(all, f.Name)
		if d := distance(strings.ReplaceAll(strings.ToLower(name), "_", "-"), f.Name); d < least {
			best, least = f.Name, d
		}
	})
	return best, all
}

// distance is how many letters differ (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// check refuses what cannot be used, a zero that was given too: for the node it
// would mean the default.
func (s *settings) check() error {
	config, given := s.config.WithDefaults(), &s.config
	config.Partitions, config.Replicas = given.Partitions, given.Replicas
	config.MaxInFlight, config.MaxMessageBytes = given.MaxInFlight, given.MaxMessageBytes
	return s.explain(config.Validate())
}

// node is the configuration for a node: what describes a new cluster only where
// it was given, so that a default differs from no cluster's.
func (s *settings) node() node.Config {
	config := s.config
	if !s.flags.Changed("partitions") {
		config.Partitions = 0
	}
	if !s.flags.Changed("replicas") {
		config.Replicas = 0
	}
	return config
}

// warn tells of variables that look like settings and are none. They are not
// refused: a container platform makes up BATON_PORT_7700_TCP and the like for a
// service of that name.
func (s *settings) warn(environment []string, logger *slog.Logger) {
	for _, variable := range environment {
		name, _, _ := strings.Cut(variable, "=")
		rest, ours := strings.CutPrefix(name, "BATON_")
		if !ours || strings.HasPrefix(rest, "JOB_") || rest == "NODES" || rest == "TOKEN" || rest == "TENANT" || rest == "CA" {
			continue // of the other verbs
		}
		setting := strings.ToLower(strings.ReplaceAll(rest, "_", "-"))
		if environmentName(setting) == name && setting != "help" && s.flags.Lookup(setting) != nil {
			continue
		}
		best, all := nearest(s.flags, setting)
		remedy := "the settings are " + strings.Join(all, ", ")
		if best != "" {
			remedy = "did you mean " + environmentName(best) + "?"
		}
		logger.Warn("this environment variable is no setting", "variable", name, "remedy", remedy)
	}
}

// explain adds where a refused setting came from.
func (s *settings) explain(err error) error {
	refused, ok := errors.AsType[*node.ConfigError](err)
	if !ok {
		return err
	}
	if source := s.sources[refused.Field]; source != "" {
		return &node.ConfigError{Field: refused.Field, Problem: refused.Problem + " (from " + source + ")", Remedy: refused.Remedy}
	}
	return err
}
