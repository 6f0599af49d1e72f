{{/* The name of the objects of one server's exporter: (dict "root" $ "server" NAME). */}}
{{- define "remediator.mysqld.name" -}}
{{- include "remediator.exporter.name" (dict "root" .root "suffix" (printf "mysqld-%s" .server)) -}}
{{- end -}}

{{/* Host and port of a server, as a JSON list: (dict "server" NAME "own" VALUES). Fails where there is no port. */}}
{{- define "remediator.mysqld.address" -}}
{{- $port := regexFind "[0-9]+$" .own.address -}}
{{- if or (not $port) (not (hasSuffix (printf ":%s" $port) .own.address)) -}}
{{- fail (printf "mysqld.servers.%s.address is %q: write HOST:PORT, such as db.example.com:3306" .server .own.address) -}}
{{- end -}}
{{- toJson (list (trimSuffix (printf ":%s" $port) .own.address) (int $port)) -}}
{{- end -}}

{{/*
The exporter's arguments for one server. Collectors that are on by default and not wanted are named too. From 0.20 on it opens two
connections a scrape unless it is told.
*/}}
{{- define "remediator.mysqld.arguments" -}}
{{- $mysqld := .root.Values.mysqld -}}
{{- $arguments := list "--config.my-cnf=/etc/mysqld-exporter/my.cnf" (printf "--mysqld.address=%s" .own.address) "--web.listen-address=:9104" -}}
{{- /* What follows the three numbers may be anything that a tag may be, and not all of that is a version. */ -}}
{{- with regexFind "^v?[0-9]{1,9}[.][0-9]{1,9}[.][0-9]{1,9}" $mysqld.image.tag -}}
{{- if semverCompare ">=0.20.0-0" . -}}
{{- $arguments = append $arguments "--exporter.max_open_connections=1" -}}
{{- end -}}
{{- end -}}
{{- range $mysqld.collectors -}}
{{- $arguments = append $arguments (printf "--collect.%s" .) -}}
{{- end -}}
{{- range list "global_status" "global_variables" "slave_status" "info_schema.innodb_cmp" "info_schema.innodb_cmpmem" "info_schema.query_response_time" -}}
{{- if not (has . $mysqld.collectors) -}}
{{- $arguments = append $arguments (printf "--no-collect.%s" .) -}}
{{- end -}}
{{- end -}}
{{- concat $arguments (default (list) $mysqld.extraArgs) | toYaml -}}
{{- end -}}
