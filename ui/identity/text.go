package identity

import (
	"context"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/ui/component"
)

// zone is where the times of these pages are read: people of several clients have none of their own.
const zone = "America/Mexico_City"

func moment(ctx context.Context, at time.Time) string { return component.Moment(ctx, at, zone) }

// device names a browser and its system from the user agent, as far as people need it to know their own.
func device(ctx context.Context, agent string) string {
	find := func(names ...string) string {
		for i := 0; i < len(names); i += 2 {
			if strings.Contains(agent, names[i]) {
				return names[i+1]
			}
		}
		return ""
	}
	browser := find("Edg", "Edge", "OPR", "Opera", "Firefox", "Firefox", "Chrome", "Chrome", "CriOS", "Chrome", "Safari", "Safari")
	system := find("Android", "Android", "iPhone", "iPhone", "iPad", "iPad", "Windows", "Windows", "Mac OS", "macOS", "Linux", "Linux")
	switch {
	case browser != "" && system != "":
		return browser + " · " + system
	case browser+system != "":
		return browser + system
	}
	return t(ctx, "device.unknown")
}
