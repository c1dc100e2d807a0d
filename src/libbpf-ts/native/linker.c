// SPDX-License-Identifier: MIT
/* Several object files into one. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "addon.h"

#ifndef EM_BPF
#define EM_BPF 247
#endif

/* libbpf 1.1 takes the header of an input for granted and crashes without one. */
static int check_header(const char *path)
{
	Elf64_Ehdr header;
	ssize_t size;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	size = read(fd, &header, sizeof(header));
	if (size < 0)
		size = -errno;
	close(fd);
	if (size < 0)
		return (int)size;
	if (size != sizeof(header) || memcmp(header.e_ident, ELFMAG, SELFMAG) ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_type != ET_REL || header.e_machine != EM_BPF)
		return -LIBBPF_ERRNO__FORMAT;
	return 0;
}

static int link_files(napi_env env, struct bpf_linker *linker, napi_value inputs, uint32_t count, char *path)
{
	for (uint32_t i = 0; i < count; i++) {
		napi_value input = NULL;
		int error;

		napi_get_element(env, inputs, i, &input);
		if (!read_string(env, input, "inputs", path, PATH_MAX_LENGTH))
			return -EINVAL;
		error = check_header(path);
		if (!error)
			error = bpf_linker__add_file(linker, path, NULL);
		if (error)
			return error;
	}
	return bpf_linker__finalize(linker);
}

/* linkObjects(output: string, inputs: string[]) */
static napi_value link_objects(napi_env env, napi_callback_info info)
{
	char output[PATH_MAX_LENGTH], path[PATH_MAX_LENGTH] = "";
	struct bpf_linker *linker;
	bool is_array = false;
	napi_value argv[2];
	uint32_t count = 0;
	int error;

	if (!begin_call(env, info, argv, ARRAY_SIZE(argv)) ||
	    !read_string(env, argv[0], "output", output, sizeof(output)))
		return NULL;
	napi_is_array(env, argv[1], &is_array);
	if (!is_array)
		return throw_type(env, "inputs", "an array of strings");
	napi_get_array_length(env, argv[1], &count);
	if (count == 0)
		return throw_range(env, "inputs", "an array of at least one path");
	linker = bpf_linker__new(output, NULL);
	if (!linker)
		return throw_errno(env, errno, "link", output);
	error = link_files(env, linker, argv[1], count, path);
	bpf_linker__free(linker);
	return error ? throw_errno(env, error, "link", path) : undefined(env);
}

void register_linker(napi_env env, napi_value exports)
{
	export_function(env, exports, "linkObjects", link_objects);
}
