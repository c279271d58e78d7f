{{/* The image's full name: by digest where one is given, else by tag, else by the chart's own version. */}}
{{- define "ip-masq-agent.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}
{{- else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* iptables-legacy opens a raw socket, and auto and iptables may choose it. */}}
{{- define "ip-masq-agent.capabilities" -}}
{{- if has .Values.backend (list "nftables" "iptables-nft") }}[NET_ADMIN]
{{- else }}[NET_ADMIN, NET_RAW]
{{- end -}}
{{- end -}}
