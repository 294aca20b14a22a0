"""JSON schemas as types of TypeScript, the way gpt-oss (and Apertus after it) is told of tools.

Source: the chat template of openai/gpt-oss-20b (https://huggingface.co/openai/gpt-oss-20b).
"""


def _lines(text: str) -> str:
    """Return a text without what parts its lines, for it may stand in a slot."""
    return "".join(line.strip() for line in text.splitlines())


# `written(schema, out)` adds the type to `out.text` and prints nothing: the text is looked at
# before it is printed. The spaces within objects and alternatives are the authors'.
_TYPE = _lines("""
{%- macro written(schema, out) -%}
    {%- set type = schema.type -%}
    {%- if type == 'array' -%}
        {%- set item = namespace(text='') -%}
        {%- if schema['items'] -%}
            {%- if written(schema['items'], item) -%}{%- endif -%}
            {%- if schema['items'].type == 'string' -%}{%- set item.text = 'string' -%}{%- endif -%}
        {%- endif -%}
        {%- if item.text == 'object | object' or item.text | length > 50 -%}
            {%- set item.text = '' -%}
        {%- endif -%}
        {%- set out.text = out.text ~ (item.text or 'any') ~ '[]' -%}
        {%- if schema.nullable -%}{%- set out.text = out.text ~ ' | null' -%}{%- endif -%}
    {%- elif type and type is not string and type is not mapping -%}
        {%- set out.text = out.text ~ type | join(' | ') -%}
    {%- elif schema.oneOf -%}
        {%- for variant in schema.oneOf -%}
            {%- if written(variant, out) -%}{%- endif -%}
            {%- if variant.description -%}
                {%- set out.text = out.text ~ '// ' ~ variant.description -%}
            {%- endif -%}
            {%- if variant.default is defined -%}
                {%- set out.text = out.text ~ ' ' * 20 ~ '// default: ' -%}
                {%- set out.text = out.text ~ variant.default | tojson -%}
            {%- endif -%}
            {%- if not loop.last -%}{%- set out.text = out.text ~ ' | \\n' -%}{%- endif -%}
        {%- endfor -%}
    {%- elif type == 'string' and schema.enum -%}
        {%- set out.text = out.text ~ '"' ~ schema.enum | join('" | "') ~ '"' -%}
    {%- elif type == 'string' -%}
        {%- set out.text = out.text ~ 'string' ~ (' | null' if schema.nullable else '') -%}
    {%- elif type in ['number', 'integer'] -%}
        {%- set out.text = out.text ~ 'number' -%}
    {%- elif type == 'object' and schema.properties -%}
        {%- set out.text = out.text ~ '{\\n' -%}
        {%- for name, property in schema.properties.items() -%}
            {%- set optional = '' if name in (schema.required or []) else '?' -%}
            {%- set out.text = out.text ~ name ~ optional ~ ': \\n' ~ ' ' * 16 -%}
            {%- if written(property, out) -%}{%- endif -%}
            {%- if not loop.last -%}{%- set out.text = out.text ~ ', ' -%}{%- endif -%}
        {%- endfor -%}
        {%- set out.text = out.text ~ '}' -%}
    {%- else -%}
        {%- set out.text = out.text ~ (type if type in ['boolean', 'object'] else 'any') -%}
    {%- endif -%}
{%- endmacro -%}
""")

# `declared(tools, after, between)` prints the tools; `after` stands after the last parameter of a
# tool, `between` between two tools
DECLARED = _TYPE + _lines("""
{%- macro declared(tools, after, between) -%}
    {%- for tool in tools -%}
        {%- set tool = tool.function or tool -%}
        {{- '// ' -}}{{- tool.description or '' -}}{{- '\\ntype ' -}}{{- tool.name -}}{{- ' = ' -}}
        {%- if tool.parameters and tool.parameters.properties -%}
            {{- '(_: {\\n' -}}
            {%- for name, schema in tool.parameters.properties.items() -%}
                {%- if schema.description -%}
                    {{- '// ' -}}{{- schema.description -}}{{- '\\n' -}}
                {%- endif -%}
                {%- set out = namespace(text='') -%}
                {%- if written(schema, out) -%}{%- endif -%}
                {{- name -}}
                {{- '' if name in (tool.parameters.required or []) else '?' -}}
                {{- ': ' -}}{{- out.text -}}
                {%- if schema.default is defined -%}
                    {{- '// default: ' if schema.oneOf and not schema.enum else ', // default: ' -}}
                    {%- if schema.enum or schema.oneOf -%}{{- schema.default -}}
                    {%- else -%}{{- schema.default | tojson -}}{%- endif -%}
                {%- endif -%}
                {{- after if loop.last else ',\\n' -}}
            {%- endfor -%}
            {{- '})' -}}
        {%- else -%}
            {{- '()' -}}
        {%- endif -%}
        {{- ' => any;' -}}{{- between if not loop.last -}}
    {%- endfor -%}
{%- endmacro -%}
""")
