// Command runc-nores starts runc without CAP_SYS_RESOURCE. On a machine whose own processes lack that
// capability runc refuses every container that asks for it ("unable to apply caps"); this wrapper takes
// it out of the container's bundle and of the process that is to be started, then becomes runc.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

const unwanted = "CAP_SYS_RESOURCE"

func main() {
	for _, file := range described(os.Args[1:]) {
		if err := strip(file); err != nil && !os.IsNotExist(err) {
			fmt.Fprintf(os.Stderr, "runc-nores: %s: %v\n", file, err)
			os.Exit(1)
		}
	}
	runc, err := find()
	if err == nil {
		err = syscall.Exec(runc, append([]string{"runc"}, os.Args[1:]...), os.Environ())
	}
	fmt.Fprintf(os.Stderr, "runc-nores: cannot start runc: %v\n", err)
	os.Exit(127)
}

// find looks for runc on the path and where Debian and the kind node image put it.
func find() (string, error) {
	if path, err := exec.LookPath("runc"); err == nil {
		return path, nil
	}
	for _, path := range []string{"/usr/sbin/runc", "/usr/local/sbin/runc", "/usr/bin/runc"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

// described returns the files in which runc's arguments describe a container or a process.
func described(args []string) []string {
	var files []string
	for i, arg := range args {
		name, value, joined := strings.Cut(arg, "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		switch name {
		case "--bundle", "-b":
			files = append(files, filepath.Join(value, "config.json"))
		case "--process", "-p":
			files = append(files, value)
		}
	}
	return files
}

// strip rewrites file without the capability, wherever it is listed.
func strip(file string) error {
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), unwanted) {
		return err
	}
	var spec map[string]any
	if err := json.Unmarshal(text, &spec); err != nil {
		return err
	}
	process := spec
	if inner, ok := spec["process"].(map[string]any); ok {
		process = inner
	}
	sets, _ := process["capabilities"].(map[string]any)
	for name, set := range sets {
		list, _ := set.([]any)
		kept := []any{}
		for _, capability := range list {
			if capability != unwanted {
				kept = append(kept, capability)
			}
		}
		sets[name] = kept
	}
	text, err = json.Marshal(spec)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}
