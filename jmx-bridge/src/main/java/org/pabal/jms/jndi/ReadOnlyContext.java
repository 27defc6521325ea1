package org.pabal.jms.jndi;

import java.util.ArrayList;
import java.util.Hashtable;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import javax.jms.JMSException;
import javax.naming.Binding;
import javax.naming.CompositeName;
import javax.naming.Context;
import javax.naming.Name;
import javax.naming.NameClassPair;
import javax.naming.NameNotFoundException;
import javax.naming.NameParser;
import javax.naming.NamingEnumeration;
import javax.naming.NamingException;
import javax.naming.OperationNotSupportedException;
import org.pabal.jms.PabalQueue;
import org.pabal.jms.PabalTopic;

/** Names that are looked up and never bound. One flat level; a name may have slashes. Immutable. */
final class ReadOnlyContext implements Context {
  private static final String DYNAMIC_QUEUES = "dynamicQueues/";
  private static final String DYNAMIC_TOPICS = "dynamicTopics/";

  private final Map<String, Object> bindings;
  private final Hashtable<Object, Object> environment = new Hashtable<>();

  ReadOnlyContext(Map<String, Object> bindings, Hashtable<?, ?> environment) {
    this.bindings = new TreeMap<>(bindings);
    this.environment.putAll(environment);
  }

  /** @throws NameNotFoundException if there is nothing of that name */
  @Override
  public Object lookup(String name) throws NamingException {
    if (name.isEmpty()) {
      return this;
    }
    Object bound = bindings.get(name);
    if (bound != null) {
      return bound;
    }
    try {
      if (name.startsWith(DYNAMIC_QUEUES)) {
        return new PabalQueue(name.substring(DYNAMIC_QUEUES.length()));
      }
      if (name.startsWith(DYNAMIC_TOPICS)) {
        return new PabalTopic(name.substring(DYNAMIC_TOPICS.length()));
      }
    } catch (JMSException e) {
      NamingException wrong = new NamingException(e.getMessage());
      wrong.initCause(e);
      throw wrong;
    }
    throw new NameNotFoundException(name);
  }

  @Override
  public Object lookup(Name name) throws NamingException {
    return lookup(name.toString());
  }

  @Override
  public Object lookupLink(String name) throws NamingException {
    return lookup(name);
  }

  @Override
  public Object lookupLink(Name name) throws NamingException {
    return lookup(name);
  }

  @Override
  public NamingEnumeration<NameClassPair> list(String name) throws NamingException {
    checkRoot(name);
    List<NameClassPair> all = new ArrayList<>();
    bindings.forEach((key, value) -> all.add(new NameClassPair(key, value.getClass().getName())));
    return new Listing<>(all);
  }

  @Override
  public NamingEnumeration<NameClassPair> list(Name name) throws NamingException {
    return list(name.toString());
  }

  @Override
  public NamingEnumeration<Binding> listBindings(String name) throws NamingException {
    checkRoot(name);
    List<Binding> all = new ArrayList<>();
    bindings.forEach((key, value) -> all.add(new Binding(key, value)));
    return new Listing<>(all);
  }

  @Override
  public NamingEnumeration<Binding> listBindings(Name name) throws NamingException {
    return listBindings(name.toString());
  }

  private static void checkRoot(String name) throws NamingException {
    if (!name.isEmpty()) {
      throw new NameNotFoundException(name);
    }
  }

  @Override
  public NameParser getNameParser(String name) {
    return CompositeName::new;
  }

  @Override
  public NameParser getNameParser(Name name) {
    return CompositeName::new;
  }

  @Override
  public String composeName(String name, String prefix) {
    return prefix.isEmpty() ? name : prefix + "/" + name;
  }

  @Override
  public Name composeName(Name name, Name prefix) throws NamingException {
    return ((Name) prefix.clone()).addAll(name);
  }

  @Override
  public Hashtable<?, ?> getEnvironment() {
    return new Hashtable<>(environment);
  }

  @Override
  public Object addToEnvironment(String name, Object value) throws NamingException {
    throw readOnly();
  }

  @Override
  public Object removeFromEnvironment(String name) throws NamingException {
    throw readOnly();
  }

  @Override
  public String getNameInNamespace() {
    return "";
  }

  @Override
  public void close() {}

  private static OperationNotSupportedException readOnly() {
    return new OperationNotSupportedException("the names come from the properties file");
  }

  @Override
  public void bind(String name, Object value) throws NamingException {
    throw readOnly();
  }

  @Override
  public void bind(Name name, Object value) throws NamingException {
    throw readOnly();
  }

  @Override
  public void rebind(String name, Object value) throws NamingException {
    throw readOnly();
  }

  @Override
  public void rebind(Name name, Object value) throws NamingException {
    throw readOnly();
  }

  @Override
  public void unbind(String name) throws NamingException {
    throw readOnly();
  }

  @Override
  public void unbind(Name name) throws NamingException {
    throw readOnly();
  }

  @Override
  public void rename(String from, String to) throws NamingException {
    throw readOnly();
  }

  @Override
  public void rename(Name from, Name to) throws NamingException {
    throw readOnly();
  }

  @Override
  public void destroySubcontext(String name) throws NamingException {
    throw readOnly();
  }

  @Override
  public void destroySubcontext(Name name) throws NamingException {
    throw readOnly();
  }

  @Override
  public Context createSubcontext(String name) throws NamingException {
    throw readOnly();
  }

  @Override
  public Context createSubcontext(Name name) throws NamingException {
    throw readOnly();
  }

  private static final class Listing<T> implements NamingEnumeration<T> {
    private final Iterator<T> rest;

    Listing(List<T> all) {
      rest = all.iterator();
    }

    @Override
    public T next() {
      return rest.next();
    }

    @Override
    public boolean hasMore() {
      return rest.hasNext();
    }

    @Override
    public T nextElement() {
      return rest.next();
    }

    @Override
    public boolean hasMoreElements() {
      return rest.hasNext();
    }

    @Override
    public void close() {}
  }
}
