// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Files of sysfs and procfs that a host shows in the place of its own. */
public final class OtherFiles {
  private final Map<String, String> texts = new HashMap<>();
  private final Map<String, List<String>> directories = new HashMap<>();
  private final Map<String, String> links = new HashMap<>();
  private final List<String> missing = new ArrayList<>();

  public OtherFiles text(String path, String content) {
    texts.put(path, content);
    return this;
  }

  public OtherFiles directory(String path, String... names) {
    directories.put(path, List.of(names));
    return this;
  }

  /** With a link. */
  public OtherFiles link(String path, String target) {
    links.put(path, target);
    return this;
  }

  /** Without the files whose paths end so. */
  public OtherFiles without(String pathEnd) {
    missing.add(pathEnd);
    return this;
  }

  /** Without any IOMMU group. */
  public OtherFiles withoutGroups() {
    return directory("/sys/kernel/iommu_groups").without("/iommu_group");
  }

  /** What {@code kernel} answers, but for these files. */
  public Kernel over(Kernel kernel) {
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (_, method, arguments) -> {
              if (arguments != null && arguments.length == 1 && arguments[0] instanceof String at) {
                if (missing.stream().anyMatch(at::endsWith)) {
                  throw new ErrnoException(method.getName() + "(" + at + ")", Errno.ENOENT);
                }
                if (method.getName().equals("readText") && texts.containsKey(at)) {
                  return texts.get(at);
                }
                if (method.getName().equals("readLink") && links.containsKey(at)) {
                  return links.get(at);
                }
                if (method.getName().equals("list") && directories.containsKey(at)) {
                  return directories.get(at);
                }
              }
              try {
                return method.invoke(kernel, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }
}
