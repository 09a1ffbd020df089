package fiscal

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed keys.txt
var keysTXT string

// run is all the numbers from one to another.
type run struct{ first, last uint32 }

// keySet are the keys of a catalog: runs of numbers, in order, and words.
type keySet struct {
	runs  []run
	words map[string]bool
}

// knownKeys are the keys of the catalogs of which the product's own have only a part, as the SAT published them. What it
// publishes later comes with newer catalogs.
var knownKeys = sync.OnceValue(func() map[string]*keySet {
	sets := map[string]*keySet{}
	for line := range strings.Lines(keysTXT) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		set := sets[words[0]]
		if set == nil {
			set = &keySet{words: map[string]bool{}}
			sets[words[0]] = set
		}
		for _, word := range words[1:] {
			from, to, _ := strings.Cut(word, "-")
			first, err := strconv.ParseUint(from, 10, 32)
			if err != nil || len(from) != 8 {
				set.words[word] = true
				continue
			}
			last := first
			if to != "" { // the digits that differ
				last, err = strconv.ParseUint(from[:8-len(to)]+to, 10, 32)
				if err != nil {
					panic("fiscal: keys.txt: " + word)
				}
			}
			set.runs = append(set.runs, run{uint32(first), uint32(last)})
		}
	}
	return sets
})

// has reports whether a key is in the set.
func (k *keySet) has(key string) bool {
	if k.words[key] {
		return true
	}
	n, err := strconv.ParseUint(key, 10, 32)
	if err != nil || len(key) != 8 {
		return false
	}
	_, found := slices.BinarySearchFunc(k.runs, uint32(n), func(r run, n uint32) int {
		switch {
		case r.last < n:
			return -1
		case r.first > n:
			return 1
		}
		return 0
	})
	return found
}
